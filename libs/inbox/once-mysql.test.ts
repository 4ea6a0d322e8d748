/** `once` on a real server: together or not at all, whatever the handler and the caller do. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { Connection as CallbackConnection } from 'mysql2';
import mysql, { type Pool, type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import { createTestDatabase, type TestDatabase } from '#testkit';
import { inboxRunConfig, inboxTableSql, once, pruneInbox, transactOnce } from './index.ts';

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_inbox' });
  const { host, port, user, password, name } = database;
  pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 4 });
  for (const sql of inboxTableSql()) await pool.query(sql);
  // Twice, as every start of an application would.
  for (const sql of inboxTableSql()) await pool.query(sql);
  await pool.query('CREATE TABLE effects (event VARCHAR(300)) ENGINE=InnoDB');
});

after(async () => {
  await pool?.end();
  await database?.drop();
});

beforeEach(async () => {
  await pool.query('DELETE FROM kafka_row_sender_inbox');
  await pool.query('DELETE FROM effects');
});

const effect = (event: string) => (tx: PoolConnection) => tx.query('INSERT INTO effects VALUES (?)', [event]);

async function count(table: string): Promise<number> {
  const [rows] = await pool.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${table}`);
  return Number(rows[0]?.n);
}

async function withTransaction<T>(work: (tx: PoolConnection) => Promise<T>, end: 'commit' | 'rollback' = 'commit') {
  const tx = await pool.getConnection();
  try {
    await tx.beginTransaction();
    const answer = await work(tx);
    await tx[end]();
    return answer;
  } finally {
    tx.destroy();
  }
}

test('handled once, then a duplicate whose handler does not run; a rolled back one is handled again', async () => {
  const call = (tx: PoolConnection) => once(tx, 'a', effect('a'));
  assert.equal(await withTransaction(call, 'rollback'), 'handled');
  assert.equal(await count('effects'), 0);
  assert.equal(await withTransaction(call), 'handled');
  assert.equal(await withTransaction(call), 'duplicate');
  assert.equal(await count('effects'), 1);
});

test('several events in one transaction, one inside the other too', async () => {
  await withTransaction(async (tx) => {
    assert.equal(await once(tx, 'a', effect('a')), 'handled');
    assert.equal(await once(tx, 'a', effect('a')), 'duplicate');
    assert.equal(await once(tx, 'b', () => once(tx, 'c', effect('c'))), 'handled');
  });
  assert.equal(await count('kafka_row_sender_inbox'), 3);
  assert.equal(await count('effects'), 2);
});

test('a handler that throws leaves neither id nor effect, even if the caller commits', async () => {
  const fault = new Error('no');
  await withTransaction(async (tx) => {
    await tx.query("INSERT INTO effects VALUES ('before')");
    const failing = once(tx, 'a', async () => {
      await effect('a')(tx);
      throw fault;
    });
    await assert.rejects(failing, (thrown) => thrown === fault);
  });
  assert.equal(await count('kafka_row_sender_inbox'), 0);
  assert.equal(await count('effects'), 1);
});

test('without a transaction nothing is written; with autocommit off the transaction is implied', async () => {
  const connection = await pool.getConnection();
  try {
    await assert.rejects(once(connection, 'a', effect('a')), { code: 'CONFIG_INVALID' });
    assert.equal(await count('kafka_row_sender_inbox'), 0);
    await connection.query('SET autocommit = 0');
    assert.equal(await once(connection, 'a', effect('a')), 'handled');
    await connection.rollback();
    assert.equal(await count('effects'), 0);
  } finally {
    connection.destroy();
  }
});

test('a transaction that ends inside the handler is found out', async () => {
  const call = (sql: string) => withTransaction((tx) => once(tx, 'a', () => tx.query(sql)), 'rollback');
  await assert.rejects(call('CREATE TABLE IF NOT EXISTS ddl (x INT)'), { code: 'DB_TRANSIENT' });
  await pool.query('DELETE FROM kafka_row_sender_inbox');
  await assert.rejects(call('ROLLBACK'), { code: 'DB_TRANSIENT' });
  assert.equal(await count('kafka_row_sender_inbox'), 0);
});

test('the same id in two transactions at once: one waits for the other`s end', async () => {
  for (const [end, second] of [
    ['commit', 'duplicate'],
    ['rollback', 'handled'],
  ] as const) {
    const entered = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const first = withTransaction(
      (tx) =>
        once(tx, end, async () => {
          await effect(end)(tx);
          entered.resolve();
          await go.promise;
        }),
      end,
    );
    await entered.promise;
    const other = withTransaction((tx) => once(tx, end, effect(end)));
    go.resolve();
    assert.deepEqual([await first, await other], ['handled', second]);
  }
  assert.equal(await count('effects'), 2);
});

test('ids are bytes: case and trailing spaces count; an id of any length is told from others', async () => {
  await withTransaction(async (tx) => {
    for (const id of ['a', 'A', 'a ', 'ä', 'x'.repeat(255)]) assert.equal(await once(tx, id, () => null), 'handled');
    assert.equal(await once(tx, 'a', () => null, { consumer: 'other' }), 'handled');
    const long = ['x'.repeat(256), 'x'.repeat(257), 'é'.repeat(255), `${'é'.repeat(255)}e`, '😀'.repeat(20_000)];
    for (const id of long) assert.equal(await once(tx, id, () => null), 'handled');
    for (const id of long) assert.equal(await once(tx, id, effect('never')), 'duplicate');
    await assert.rejects(once(tx, '', effect('never')), { code: 'DB_ROW_REFUSED', verdict: 'row-fault' });
    await assert.rejects(
      once(tx, 'b', () => null, { table: 'a`b' }),
      { code: 'CONFIG_INVALID' },
    );
  });
  assert.equal(await count('effects'), 0);
});

test('a connection with callbacks', async () => {
  const connection = await pool.getConnection();
  try {
    const callbacks = connection.connection as unknown as CallbackConnection;
    await connection.beginTransaction();
    assert.equal(await once(callbacks, 'a', (tx) => tx.promise().query("INSERT INTO effects VALUES ('a')")), 'handled');
    await connection.commit();
    assert.equal(await count('effects'), 1);
  } finally {
    connection.destroy();
  }
});

test('transactOnce commits, rolls back, and gives every connection back', async () => {
  const fault = new Error('no');
  for (let turn = 0; turn < 10; turn += 1) {
    const failing = transactOnce(pool, `bad ${turn}`, async (tx) => {
      await effect('bad')(tx);
      throw fault;
    });
    await assert.rejects(failing, fault);
    assert.equal(await transactOnce(pool, `good ${turn}`, effect('good')), 'handled');
    assert.equal(await transactOnce(pool, `good ${turn}`, effect('good')), 'duplicate');
  }
  assert.equal(await count('effects'), 10);
});

test('retention: only what is older, in batches, and says when more is due', async () => {
  const insert = "INSERT INTO kafka_row_sender_inbox VALUES ('default', ?, UTC_TIMESTAMP(3) - INTERVAL ? SECOND)";
  for (let i = 0; i < 7; i += 1) await pool.query(insert, [`old ${i}`, 3_700]);
  await pool.query(insert, ['young', 3_500]);
  const options = { retentionMs: 3_600_000, batchRowsMax: 2 };
  assert.deepEqual(await pruneInbox(pool, { ...options, batchesMax: 2 }), { rows: 4, done: false });
  assert.deepEqual(await pruneInbox(pool, options), { rows: 3, done: true });
  assert.equal(await count('kafka_row_sender_inbox'), 1);
  await assert.rejects(pruneInbox(pool, { retentionMs: 0 }), { code: 'CONFIG_INVALID' });
});

test('what types do not stop in JavaScript is told in one line', async () => {
  const nothing = undefined as never;
  await withTransaction(async (tx) => {
    await assert.rejects(once(tx, nothing, effect('a')), { code: 'DB_ROW_REFUSED' });
    await assert.rejects(once(tx, 'a', nothing), { code: 'CONFIG_INVALID', message: /handler/ });
  });
  await assert.rejects(once(nothing as PoolConnection, 'a', effect('a')), { code: 'CONFIG_INVALID' });
  assert.throws(() => inboxRunConfig({} as never), { code: 'CONFIG_INVALID' });
  assert.equal(await count('kafka_row_sender_inbox'), 0);
});
