/** Each database library that the application's outbox has an adapter for, with its own connections to a real server. */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import {
  drizzleTransaction,
  knexTransaction,
  kyselyTransaction,
  type OutboxTransaction,
  prismaTransaction,
  typeormTransaction,
} from '#application-outbox';
import type { DatabaseAddress } from './test-environment.ts';
import { uniqueName } from './unique-name.ts';

/** Runs a statement without values in the library's transaction. */
type RunText = (sql: string) => PromiseLike<unknown>;

export interface OutboxLibrary {
  /** A transaction of the library, committed when `work` resolves. */
  transact(work: (tx: OutboxTransaction, run: RunText) => Promise<void>): Promise<unknown>;
  /** Throws for want of a transaction. Null: the library cannot tell before it is used. */
  readonly without: (() => unknown) | null;
  close(): Promise<unknown>;
}

/** Where a library connects to. */
export interface OutboxLibraryAddress extends DatabaseAddress {
  readonly name: string;
}

export const OUTBOX_LIBRARIES = ['mysql2', 'knex', 'kysely', 'drizzle', 'typeorm', 'prisma'] as const;
export type OutboxLibraryName = (typeof OUTBOX_LIBRARIES)[number];

const optionsOf = ({ host, port, user, password, name }: OutboxLibraryAddress) => ({
  host,
  port,
  user,
  password,
  database: name,
});

async function openMysql2(address: OutboxLibraryAddress): Promise<OutboxLibrary> {
  const { default: mysql } = await import('mysql2/promise');
  const pool = mysql.createPool({ ...optionsOf(address), connectionLimit: 2 });
  return {
    transact: async (work) => {
      const tx = await pool.getConnection();
      try {
        await tx.beginTransaction();
        await work(tx, (sql) => tx.query(sql));
        await tx.commit();
      } catch (thrown) {
        await tx.rollback();
        throw thrown;
      } finally {
        tx.release();
      }
    },
    without: null,
    close: () => pool.end(),
  };
}

async function openKnex(address: OutboxLibraryAddress): Promise<OutboxLibrary> {
  const { default: knexLibrary } = await import('knex');
  const db = knexLibrary({ client: 'mysql2', connection: optionsOf(address), pool: { min: 0, max: 2 } });
  return {
    transact: (work) => db.transaction((trx) => work(knexTransaction(trx), (sql) => trx.raw(sql))),
    without: () => knexTransaction(db),
    close: () => db.destroy(),
  };
}

async function openKysely(address: OutboxLibraryAddress): Promise<OutboxLibrary> {
  const { Kysely, MysqlDialect, sql: raw } = await import('kysely');
  const { default: callbacks } = await import('mysql2');
  const dialect = new MysqlDialect({ pool: callbacks.createPool(optionsOf(address)) });
  const db = new Kysely<Record<string, never>>({ dialect });
  return {
    transact: (work) =>
      db.transaction().execute((trx) => work(kyselyTransaction(trx), (sql) => raw.raw(sql).execute(trx))),
    without: () => kyselyTransaction(db),
    close: () => db.destroy(),
  };
}

async function openDrizzle(address: OutboxLibraryAddress): Promise<OutboxLibrary> {
  const { default: mysql } = await import('mysql2/promise');
  const { drizzle } = await import('drizzle-orm/mysql2');
  const { sql: tag } = await import('drizzle-orm');
  const pool = mysql.createPool({ ...optionsOf(address), connectionLimit: 2 });
  const db = drizzle(pool);
  return {
    transact: (work) => db.transaction((tx) => work(drizzleTransaction(tx, tag), (sql) => tx.execute(tag.raw(sql)))),
    without: () => drizzleTransaction(db as never, tag),
    close: () => pool.end(),
  };
}

async function openTypeorm(address: OutboxLibraryAddress): Promise<OutboxLibrary> {
  const { DataSource } = await import('typeorm');
  const { user: username, ...options } = optionsOf(address);
  const source = await new DataSource({ type: 'mysql', username, ...options }).initialize();
  return {
    transact: (work) => source.transaction((manager) => work(typeormTransaction(manager), (sql) => manager.query(sql))),
    without: () => typeormTransaction(source.manager),
    close: () => source.destroy(),
  };
}

/** What the generated client has, as far as it is used here. */
export interface PrismaLike {
  $transaction<T>(work: (tx: PrismaLike) => Promise<T>): Promise<T>;
  $executeRawUnsafe(sql: string, ...values: unknown[]): Promise<number>;
  $disconnect(): Promise<void>;
  readonly purchase: { create(query: { data: { customer: string } }): Promise<unknown> };
}

const SCHEMA = `generator client {
  provider = "prisma-client-js"
  output = "./client"
  engineType = "client"
}
datasource db {
  provider = "mysql"
}
model Purchase {
  id Int @id @default(autoincrement())
  customer String
  @@map("purchase")
}
`;
const MODULES = join(import.meta.dirname, '..', '..', 'node_modules');
const GENERATE_DEADLINE_MS = 60_000;

export async function openPrisma(address: OutboxLibraryAddress): Promise<OutboxLibrary & { client: PrismaLike }> {
  // Below node_modules, so that the generated client finds its runtime.
  const folder = join(MODULES, '.cache', uniqueName('krs_prisma'));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'schema.prisma'), SCHEMA);
  const url = 'mysql://none/none';
  await writeFile(
    join(folder, 'prisma.config.ts'),
    `export default { schema: 'schema.prisma', datasource: { url: '${url}' } };`,
  );
  // The generator needs no schema engine, but would download one: any program stands in for it.
  await promisify(execFile)(process.execPath, [join(MODULES, 'prisma', 'build', 'index.js'), 'generate'], {
    cwd: folder,
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
    timeout: GENERATE_DEADLINE_MS,
  });
  const generated = await import(pathToFileURL(join(folder, 'client', 'index.js')).href);
  const { PrismaMariaDb } = await import('@prisma/adapter-mariadb');
  const client: PrismaLike = new generated.PrismaClient({ adapter: new PrismaMariaDb(optionsOf(address)) });
  return {
    client,
    transact: (work) => client.$transaction((tx) => work(prismaTransaction(tx), (sql) => tx.$executeRawUnsafe(sql))),
    without: () => prismaTransaction(client),
    close: async () => {
      await client.$disconnect();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const OPEN: Readonly<Record<OutboxLibraryName, (address: OutboxLibraryAddress) => Promise<OutboxLibrary>>> = {
  mysql2: openMysql2,
  knex: openKnex,
  kysely: openKysely,
  drizzle: openDrizzle,
  typeorm: openTypeorm,
  prisma: openPrisma,
};

export const openOutboxLibrary = (name: OutboxLibraryName, address: OutboxLibraryAddress): Promise<OutboxLibrary> =>
  OPEN[name](address);
