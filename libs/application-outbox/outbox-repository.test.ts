/** The repository on a real server: an event is there exactly when the caller's transaction is, and a bad one is said so in it. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, test } from 'node:test';
import mysql, { type Pool, type PoolConnection, type RowDataPacket } from 'mysql2/promise';
import { RelayError } from '#runtime';
import { createTestDatabase, type TestDatabase } from '#testkit';
import { OutboxRepository, outboxTableSql, sqliteTransaction, transactOutbox } from './index.ts';

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_appoutbox' });
  const { host, port, user, password, name } = database;
  pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 4 });
  // Twice, as every start of an application would.
  for (const sql of [...outboxTableSql(), ...outboxTableSql()]) await pool.query(sql);
});

after(async () => {
  await pool?.end();
  await database?.drop();
});

beforeEach(async () => {
  await pool.query('DELETE FROM outboxevent');
});

async function rows(): Promise<RowDataPacket[]> {
  const [found] = await pool.query<RowDataPacket[]>('SELECT * FROM outboxevent ORDER BY seq');
  return found;
}

async function inTransaction<T>(work: (tx: PoolConnection) => Promise<T>, end: 'commit' | 'rollback' = 'commit') {
  const tx = await pool.getConnection();
  try {
    await tx.beginTransaction();
    return await work(tx);
  } finally {
    await tx[end]();
    tx.release();
  }
}

const placed = { type: 'OrderPlaced', aggregateType: 'order', aggregateId: '17', payload: { total: 12.5, ä: 'ü' } };
const reason = (wanted: string) => (thrown: unknown) =>
  thrown instanceof RelayError && thrown.code === 'EVENT_REFUSED' && thrown.details.reason === wanted;

test('an event is stored with its columns, and only when the transaction commits', async () => {
  const outbox = new OutboxRepository({ source: '/shop' });
  await inTransaction((tx) => outbox.add(tx, placed), 'rollback');
  assert.equal((await rows()).length, 0);
  const occurredAt = new Date('2026-01-02T03:04:05.678Z');
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const more = { occurredAt, correlationId: 'c', headers: { tenant: 'a' }, traceContext: { traceparent } };
  const event = await inTransaction((tx) => outbox.add(tx, { ...placed, ...more }));
  assert.match(event.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const [row] = await rows();
  assert.equal(row?.id, event.id);
  assert.equal(row?.aggregatetype, 'order');
  assert.equal(row?.aggregateid, '17');
  assert.equal(row?.type, 'OrderPlaced');
  assert.deepEqual(JSON.parse(String(row?.payload)), placed.payload);
  assert.equal(row?.source, '/shop');
  assert.equal(row?.correlationid, 'c');
  assert.equal(row?.causationid, null);
  assert.equal(row?.headers, '{"tenant":"a"}');
  assert.equal(row?.tracingspancontext, `traceparent=${traceparent}\n`);
  const [time] = await pool.query<RowDataPacket[]>('SELECT CAST(timestamp AS CHAR) AS t FROM outboxevent');
  assert.equal(time[0]?.t, '2026-01-02 03:04:05.678');
});

test('many events keep their order, and a null payload is a tombstone', async () => {
  const outbox = new OutboxRepository();
  const events = Array.from({ length: 450 }, (_, n) => ({ ...placed, payload: n === 7 ? null : n }));
  const added = await inTransaction((tx) => outbox.addMany(tx, events));
  const stored = await rows();
  assert.deepEqual(
    stored.map((row) => row.id),
    added.map((event) => event.id),
  );
  assert.equal(stored[7]?.payload, null);
  assert.equal(String(stored[449]?.payload), '449');
});

test('without a transaction nothing is written', async () => {
  const outbox = new OutboxRepository();
  const isRefused = (thrown: unknown) => thrown instanceof RelayError && thrown.code === 'CONFIG_INVALID';
  await assert.rejects(outbox.add(pool as unknown as PoolConnection, placed), isRefused);
  const lone = await pool.getConnection();
  await assert.rejects(outbox.add(lone, placed), isRefused);
  await lone.query('SET autocommit = 0');
  await outbox.add(lone, placed);
  await lone.query('ROLLBACK');
  lone.destroy();
  assert.equal((await rows()).length, 0);
});

test('a bad event fails in the transaction, before anything of the call is stored', async () => {
  const outbox = new OutboxRepository();
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const bad: [string, object][] = [
    ['missing', { type: '' }],
    ['missing', { aggregateType: undefined }],
    ['missing', { aggregateId: 5 }],
    ['too-long', { aggregateId: 'x'.repeat(256) }],
    ['too-long', { correlationId: 'x'.repeat(256) }],
    ['malformed', { aggregateType: 'a b' }],
    ['malformed', { topic: 'a/b' }],
    ['malformed', { occurredAt: new Date('never') }],
    ['malformed', { headers: { id: 'mine' } }],
    // Half of a surrogate pair has no bytes in UTF-8.
    ['malformed', { aggregateId: 'a\ud800' }],
    ['malformed', { id: '\udc00' }],
    ['malformed', { key: 'a\ud800b' }],
    ['malformed', { headers: { a: '\ud800' } }],
    ['malformed', { headers: { 'a\ud800': 'b' } }],
    ['malformed', { occurredAt: new Date(Date.UTC(10_000, 0)) }],
    ['malformed', { occurredAt: new Date('0999-12-31T23:59:59.999Z') }],
    ['does-not-serialise', { payload: cycle }],
    ['does-not-serialise', { payload: 1n }],
    ['does-not-serialise', { payload: undefined }],
  ];
  await inTransaction(async (tx) => {
    for (const [wanted, change] of bad) {
      await assert.rejects(
        outbox.addMany(tx, [placed, { ...placed, ...change }]),
        reason(wanted),
        JSON.stringify(wanted),
      );
    }
  });
  assert.equal((await rows()).length, 0);
  // 255 characters outside of the basic plane are 510 of JavaScript's.
  await inTransaction((tx) => outbox.add(tx, { ...placed, aggregateId: '😀'.repeat(255) }));
});

test('an id that is there already is refused by name, and the transaction may go on', async () => {
  const outbox = new OutboxRepository();
  await inTransaction(async (tx) => {
    await outbox.add(tx, { ...placed, id: 'one' });
    await assert.rejects(outbox.add(tx, { ...placed, id: 'one' }), reason('duplicate-id'));
    await outbox.add(tx, { ...placed, id: 'ONE' });
  });
  assert.deepEqual(
    (await rows()).map((row) => row.id),
    ['one', 'ONE'],
  );
});

test('a trace context that is none is left out, the event is not', async () => {
  const outbox = new OutboxRepository({ traceContext: () => ({ traceparent: 'nonsense' }) });
  await inTransaction((tx) => outbox.add(tx, placed));
  assert.equal((await rows())[0]?.tracingspancontext, null);
});

test('a synchronous transaction gets the same statement, and refuses what has to be waited for', () => {
  const run: { sql: string; parameters: readonly unknown[] }[] = [];
  const tx = {
    dialect: 'sqlite',
    runSync: (sql: string, parameters: readonly unknown[]) => run.push({ sql, parameters }),
  } as const;
  new OutboxRepository().addSync(tx, { ...placed, occurredAt: new Date(5) });
  assert.match(run[0]?.sql ?? '', /^INSERT INTO "outboxevent" \(id, /);
  assert.equal(run[0]?.parameters[5], 5);
  const slow = new OutboxRepository({ formatter: { format: () => Promise.reject(new Error('late')) } });
  assert.throws(() => slow.addSync(tx, placed), { code: 'CONFIG_INVALID' });
});

test('on SQLite the table may have any name, and a name that no server takes is refused before anything is stored', async () => {
  const db = new DatabaseSync(':memory:');
  for (const table of ['out.box', 'my "outbox"', 'größe 1', "it's", 'order', 'rowid']) {
    for (const sql of outboxTableSql({ table, dialect: 'sqlite' })) db.exec(sql);
    db.exec('BEGIN');
    const { id } = new OutboxRepository({ table }).addSync(sqliteTransaction(db), placed);
    db.exec('COMMIT');
    assert.equal(db.prepare(`SELECT id FROM "${table.replaceAll('"', '""')}"`).get()?.id, id);
  }
  db.close();
  const misnamed = new OutboxRepository({ table: 'outbox ' });
  await assert.rejects(
    inTransaction((tx) => misnamed.add(tx, placed)),
    { code: 'CONFIG_INVALID' },
  );
  assert.throws(() => new OutboxRepository({ table: 'a\0b' }), { code: 'CONFIG_INVALID' });
});

test('the transaction around it rings after the commit, and only then', async () => {
  const outbox = new OutboxRepository();
  const count = async () => {
    const [found] = await pool.query<RowDataPacket[]>('SELECT id FROM outboxevent');
    return found.length;
  };
  const rung: Promise<number>[] = [];
  const doorbell = { ring: () => void rung.push(count()) };
  await transactOutbox(pool, (tx) => outbox.add(tx, placed), { doorbell });
  assert.equal(await rung[0], 1, 'what it tells of is there');
  const failed = transactOutbox(
    pool,
    async (tx) => {
      await outbox.add(tx, placed);
      throw new Error('no');
    },
    { doorbell },
  );
  await assert.rejects(failed, /no/);
  assert.equal(rung.length, 1);
  assert.equal(await count(), 1);
});
