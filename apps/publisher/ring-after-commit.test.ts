/** A row added in a transaction of the caller's own library is rung for after the commit, on real Redis and database. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/mysql2';
import knexLibrary from 'knex';
import { Kysely, MysqlDialect } from 'kysely';
import callbacks from 'mysql2';
import mysql, { type Pool } from 'mysql2/promise';
import { DataSource } from 'typeorm';
import {
  drizzleTransaction,
  knexTransaction,
  kyselyTransaction,
  OutboxRepository,
  type OutboxTransaction,
  outboxTableSql,
  typeormTransaction,
} from '#application-outbox';
import { loadConfig } from '#config';
import { createRedisDoorbell } from '#doorbell';
import type { Doorbell } from '#outbox';
import { targetOf } from '#redis';
import { silentLogger } from '#runtime';
import { createTestDatabase, freePort, type TestDatabase, testEnvironment, uniqueName, until } from '#testkit';
import { createOutboxDoorbell, type OutboxDoorbell } from './index.ts';

const WAIT_MS = 5_000;
/** What a busy machine may add. */
const SLACK_MS = 500;
const EVENT = { type: 'Placed', aggregateType: 'order', aggregateId: '1', payload: {} };

let database: TestDatabase;
let pool: Pool;
let relay: Doorbell;
let bell: OutboxDoorbell;
let outbox: OutboxRepository;
/** Monotonic time at which a ring was heard that found the row committed, by the id of its event. */
const seenAtMs = new Map<string, number>();

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_ring' });
  pool = mysql.createPool(addressOf());
  for (const sql of outboxTableSql()) await pool.query(sql);
  const { redisUrl } = testEnvironment();
  const prefix = uniqueName('krs_ring');
  relay = createRedisDoorbell({ redis: targetOf(redisUrl), prefix, logger: silentLogger });
  // As a writer does: a ring means a look at the table.
  relay.listen((ring) => {
    if (ring.kind !== 'source-rows' || ring.source !== 'outboxevent') return;
    pool.query<mysql.RowDataPacket[]>('SELECT id FROM outboxevent').then(
      ([rows]) => {
        for (const { id } of rows) if (!seenAtMs.has(id)) seenAtMs.set(id, performance.now());
      },
      () => undefined,
    );
  });
  bell = createOutboxDoorbell({ redisUrl, prefix });
  outbox = new OutboxRepository({ doorbell: bell });
  await until('the relay hears a ring', ringUntilHeard, WAIT_MS);
});

after(async () => {
  await bell?.close();
  await relay?.close();
  await pool?.end();
  await database?.drop();
});

function addressOf() {
  const { host, port, user, password, name } = database;
  return { host, port, user, password, database: name };
}

/** Subscribing takes a moment, and what is rung before it is lost. */
async function ringUntilHeard(): Promise<boolean> {
  await pool.query(
    "INSERT IGNORE INTO outboxevent (id, aggregatetype, aggregateid, type) VALUES ('first', 'a', 'b', 'c')",
  );
  bell.ring();
  return seenAtMs.has('first');
}

/** Settings without a default. */
const NEEDED = {
  KAFKA_ROW_SENDER_DB_USER: 'u',
  KAFKA_ROW_SENDER_DB_NAME: 'd',
  KAFKA_ROW_SENDER_SOURCE_TABLE: 't',
  KAFKA_ROW_SENDER_KAFKA_TOPIC: 't',
};

/** How long a transaction stays open after the row is written; each is rung for within as long again. */
const OPEN_MS = [0, 400];

type Transact = (work: (tx: OutboxTransaction) => Promise<void>) => Promise<unknown>;

function ringTests(open: () => Transact): void {
  for (const openMs of OPEN_MS) {
    test(`a transaction that is open for ${openMs} ms more is heard of after its commit`, async () => {
      let id = '';
      let writtenAtMs = 0;
      await open()(async (tx) => {
        ({ id } = await outbox.add(tx, EVENT));
        writtenAtMs = performance.now();
        if (openMs > 0) await new Promise((resolve) => setTimeout(resolve, openMs));
      });
      const tookMs = performance.now() - writtenAtMs;
      await until('a ring that finds it', () => seenAtMs.has(id), WAIT_MS);
      const lateMs = (seenAtMs.get(id) ?? Number.NaN) - writtenAtMs;
      assert.ok(lateMs <= 2 * tookMs + SLACK_MS, `${lateMs} ms, of which ${tookMs} ms open`);
    });
  }
}

describe('mysql2', () => {
  ringTests(() => async (work) => {
    const tx = await pool.getConnection();
    await tx.beginTransaction();
    await work(tx);
    await tx.commit();
    tx.release();
  });
});

describe('mysql2, callbacks', () => {
  ringTests(() => async (work) => {
    const tx = callbacks.createConnection(addressOf());
    await tx.promise().beginTransaction();
    await work(tx);
    await new Promise<void>((resolve, reject) => tx.commit((error) => (error ? reject(error) : resolve())));
    tx.destroy();
  });
});

describe('knex', () => {
  const knex = () => knexLibrary({ client: 'mysql2', connection: addressOf(), pool: { min: 0, max: 2 } });
  let db: ReturnType<typeof knex>;
  before(() => {
    db = knex();
  });
  after(() => db.destroy());
  ringTests(() => (work) => db.transaction((trx) => work(knexTransaction(trx))));
});

describe('kysely', () => {
  let db: Kysely<Record<string, never>>;
  before(() => {
    db = new Kysely({ dialect: new MysqlDialect({ pool: callbacks.createPool(addressOf()) }) });
  });
  after(() => db.destroy());
  ringTests(() => (work) => db.transaction().execute((trx) => work(kyselyTransaction(trx))));
});

describe('drizzle', () => {
  ringTests(() => (work) => drizzle(pool).transaction((tx) => work(drizzleTransaction(tx, drizzleSql))));
});

describe('typeorm', () => {
  let source: DataSource;
  before(async () => {
    const { user: username, ...address } = addressOf();
    source = await new DataSource({ type: 'mysql', username, ...address }).initialize();
  });
  after(() => source.destroy());
  ringTests(() => (work) => source.transaction((manager) => work(typeormTransaction(manager))));
});

test('a process that ends right after its commit is heard, by the default names', async () => {
  const { redisUrl } = testEnvironment();
  // No prefix said: both sides have the same default.
  const { prefix } = loadConfig({ env: NEEDED }).config.redis;
  const listener = createRedisDoorbell({ redis: targetOf(redisUrl), prefix, logger: silentLogger });
  let heard = 0;
  listener.listen(() => {
    heard += 1;
  });
  const warm = createOutboxDoorbell({ redisUrl });
  const ringWarm = () => {
    warm.ring();
    return heard > 0;
  };
  await until('listening', ringWarm, WAIT_MS);
  await warm.close();
  heard = 0;
  const short = createOutboxDoorbell({ redisUrl });
  short.ringSoon();
  await short.close();
  await until('the ring of close', () => heard > 0, WAIT_MS);
  await listener.close();
});

test('neither a Redis that is away nor a doorbell that throws touches the transaction', async () => {
  const away = createOutboxDoorbell({ redisUrl: `redis://127.0.0.1:${await freePort()}` });
  const broken = {
    ringSoon: () => {
      throw new Error('broken');
    },
  };
  const tx = await pool.getConnection();
  const startedMs = performance.now();
  await tx.beginTransaction();
  for (const doorbell of [away, broken]) await new OutboxRepository({ doorbell }).add(tx, EVENT);
  await tx.commit();
  tx.release();
  assert.ok(performance.now() - startedMs < SLACK_MS, `${performance.now() - startedMs} ms`);
  await away.close();
});

test('an address that is none is refused at once', () => {
  for (const redisUrl of ['nonsense', '', 'http://127.0.0.1:6379', undefined as unknown as string]) {
    assert.throws(() => createOutboxDoorbell({ redisUrl }), { code: 'CONFIG_INVALID', message: /redis:\/\// });
  }
});
