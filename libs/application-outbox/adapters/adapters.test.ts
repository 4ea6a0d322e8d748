/** Each library with a real transaction on MariaDB: the event and the business row are there together, or neither is. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/mysql2';
import knexLibrary from 'knex';
import { Kysely, sql as kyselySql, MysqlDialect } from 'kysely';
import callbacks from 'mysql2';
import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { DataSource } from 'typeorm';
import { RelayError } from '#runtime';
import { createTestDatabase, type TestDatabase, uniqueName } from '#testkit';
import {
  drizzleTransaction,
  knexTransaction,
  kyselyTransaction,
  OutboxRepository,
  type OutboxTransaction,
  outboxTableSql,
  prismaTransaction,
  typeormTransaction,
} from '../index.ts';

let database: TestDatabase;
let pool: Pool;
const outbox = new OutboxRepository();

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_adapters' });
  pool = mysql.createPool(addressOf());
  for (const sql of outboxTableSql()) await pool.query(sql);
  await pool.query(
    'CREATE TABLE purchase (id INT AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(40) NOT NULL) ENGINE=InnoDB',
  );
});

after(async () => {
  await pool?.end();
  await database?.drop();
});

beforeEach(async () => {
  await pool.query('DELETE FROM outboxevent');
  await pool.query('DELETE FROM purchase');
});

function addressOf() {
  const { host, port, user, password, name } = database;
  return { host, port, user, password, database: name };
}

const INSERT = "INSERT INTO purchase (customer) VALUES ('anna')";
const EVENT = { type: 'Purchased', aggregateType: 'purchase', aggregateId: '17', payload: { wer: 'änna', n: null } };

/** What the tests do with each library; `work` gets its transaction and a way to run a statement in it. */
interface Library {
  readonly transact: (
    work: (tx: OutboxTransaction, run: (sql: string) => PromiseLike<unknown>) => Promise<void>,
  ) => Promise<unknown>;
  /** Throws for want of a transaction. */
  readonly without: () => unknown;
}

async function counts(): Promise<{ events: number; purchases: number }> {
  const [rows] = await pool.query<RowDataPacket[]>(
    'SELECT (SELECT COUNT(*) FROM outboxevent) AS events, (SELECT COUNT(*) FROM purchase) AS purchases',
  );
  return { events: Number(rows[0]?.events), purchases: Number(rows[0]?.purchases) };
}

const isReason = (reason: string) => (thrown: unknown) =>
  thrown instanceof RelayError && thrown.details.reason === reason;

function adapterTests(open: () => Library): void {
  test('the event is committed with the business row, bytes and all', async () => {
    await open().transact(async (tx, run) => {
      await run(INSERT);
      await outbox.addMany(tx, [EVENT, { ...EVENT, payload: null, headers: { a: 'b?' } }]);
    });
    assert.deepEqual(await counts(), { events: 2, purchases: 1 });
    const [rows] = await pool.query<RowDataPacket[]>('SELECT * FROM outboxevent ORDER BY seq');
    assert.equal(String(rows[0]?.payload), JSON.stringify(EVENT.payload));
    assert.equal(rows[1]?.payload, null);
    assert.equal(rows[1]?.headers, '{"a":"b?"}');
    assert.equal(rows[0]?.topic, null);
  });

  test('neither stays when the transaction is rolled back', async () => {
    const failed = open().transact(async (tx, run) => {
      await run(INSERT);
      await outbox.add(tx, EVENT);
      throw new Error('no');
    });
    await assert.rejects(failed);
    assert.deepEqual(await counts(), { events: 0, purchases: 0 });
  });

  test('a repeated id is told in the transaction', async () => {
    const failed = open().transact(async (tx) => {
      await outbox.add(tx, { ...EVENT, id: 'same' });
      await outbox.add(tx, { ...EVENT, id: 'same' });
    });
    await assert.rejects(failed, isReason('duplicate-id'));
    assert.deepEqual(await counts(), { events: 0, purchases: 0 });
  });

  test('the library itself is refused: it has no transaction', () => {
    assert.throws(open().without, { code: 'CONFIG_INVALID' });
  });
}

describe('knex', () => {
  const knex = () => knexLibrary({ client: 'mysql2', connection: addressOf(), pool: { min: 0, max: 2 } });
  let db: ReturnType<typeof knex>;
  before(() => {
    db = knex();
  });
  after(() => db.destroy());
  adapterTests(() => ({
    transact: (work) => db.transaction((trx) => work(knexTransaction(trx), (sql) => trx.raw(sql))),
    without: () => knexTransaction(db),
  }));
});

describe('kysely', () => {
  let db: Kysely<Record<string, never>>;
  before(() => {
    db = new Kysely({ dialect: new MysqlDialect({ pool: callbacks.createPool(addressOf()) }) });
  });
  after(() => db.destroy());
  adapterTests(() => ({
    transact: (work) =>
      db.transaction().execute((trx) => work(kyselyTransaction(trx), (sql) => kyselySql.raw(sql).execute(trx))),
    without: () => kyselyTransaction(db),
  }));
});

describe('drizzle', () => {
  const open = () => drizzle(pool);
  adapterTests(() => ({
    transact: (work) =>
      open().transaction((tx) => work(drizzleTransaction(tx, drizzleSql), (sql) => tx.execute(drizzleSql.raw(sql)))),
    without: () => drizzleTransaction(open() as never, drizzleSql),
  }));
});

describe('typeorm', () => {
  let source: DataSource;
  before(async () => {
    const { user: username, ...address } = addressOf();
    source = await new DataSource({ type: 'mysql', username, ...address }).initialize();
  });
  after(() => source.destroy());
  adapterTests(() => ({
    transact: (work) => source.transaction((manager) => work(typeormTransaction(manager), (sql) => manager.query(sql))),
    without: () => typeormTransaction(source.manager),
  }));
});

/** What the generated client has, as far as it is used here. */
interface PrismaLike {
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

describe('prisma', () => {
  const modules = join(import.meta.dirname, '..', '..', '..', 'node_modules');
  // Below node_modules, so that the generated client finds its runtime.
  const folder = join(modules, '.cache', uniqueName('krs_prisma'));
  let prisma: PrismaLike;

  before(async () => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'schema.prisma'), SCHEMA);
    const url = 'mysql://none/none';
    await writeFile(
      join(folder, 'prisma.config.ts'),
      `export default { schema: 'schema.prisma', datasource: { url: '${url}' } };`,
    );
    // The generator needs no schema engine, but would download one: any program stands in for it.
    await promisify(execFile)(process.execPath, [join(modules, 'prisma', 'build', 'index.js'), 'generate'], {
      cwd: folder,
      env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
      timeout: 60_000,
    });
    const client = await import(pathToFileURL(join(folder, 'client', 'index.js')).href);
    const { PrismaMariaDb } = await import('@prisma/adapter-mariadb');
    prisma = new client.PrismaClient({ adapter: new PrismaMariaDb(addressOf()) });
  });
  after(async () => {
    await prisma?.$disconnect();
    await rm(folder, { recursive: true, force: true });
  });
  adapterTests(() => ({
    transact: (work) => prisma.$transaction((tx) => work(prismaTransaction(tx), (sql) => tx.$executeRawUnsafe(sql))),
    without: () => prismaTransaction(prisma),
  }));

  test('its own models are in the same transaction', async () => {
    await prisma.$transaction(async (tx) => {
      await tx.purchase.create({ data: { customer: 'bert' } });
      await outbox.add(prismaTransaction(tx), EVENT);
    });
    assert.deepEqual(await counts(), { events: 1, purchases: 1 });
  });
});
