/** The outbox store on a real server: schema, operator's verbs, and what only a server can show: locks, lost answers, limits. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, openSession, type Pool } from '#database';
import { laneFloor, type OutboxMessage, type OutboxTables, outboxId } from '#outbox';
import { createTestDatabase, failOnLeaks, type TestDatabase, testDatabaseOptions, testTables, until } from '#testkit';
import {
  checkSchema,
  countAside,
  createSenderStore,
  createWriterStore,
  dropDead,
  initSql,
  listDeadLetters,
  listMembers,
  listWatermarks,
  migrate,
  outboxStatistics,
  pauseLane,
  requeueDead,
  resumeLane,
  schemaVersion,
} from './index.ts';
import { SCHEMA_VERSION as SCHEMA } from './schema.ts';

/** The server's own limit is 5 s of rest in a transaction on MariaDB, 20 s of any rest on MySQL; and a try takes 5 s. */
const LOCKS_FREED_MS = 30_000;

let database: TestDatabase;
let pool: Pool;
let worlds = 0;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_storage' });
  pool = createPool(testDatabaseOptions(database));
});

after(async () => {
  await pool.close();
  await database.drop();
});
failOnLeaks();

function names(): OutboxTables {
  worlds += 1;
  return testTables(`t${worlds}_`);
}

const message = (lane: number, sequence: number, value: Buffer | null = Buffer.from('{}')): OutboxMessage => ({
  id: outboxId(lane, sequence),
  eventId: `orders:${sequence}`,
  ...{ topic: 'orders', key: Buffer.from('k'), value, headers: null },
});

/** Fresh tables with a source of `lanes` lanes whose first rows are in the outbox. */
async function world(lanes: number, messages: readonly OutboxMessage[] = []) {
  const tables = names();
  await migrate(pool, tables);
  const writer = createWriterStore({ pool, tables });
  const sender = createSenderStore({ pool, tables });
  await writer.registerSource({ source: 'orders', position: 0n, gaps: [], lanes });
  const { epoch } = await writer.beginTerm('orders', 'w1');
  const append = (from: number, more: readonly OutboxMessage[]) =>
    writer.append({
      source: 'orders',
      epoch,
      expectedNextSequence: from,
      next: { position: BigInt(from), gaps: { put: [], drop: [] }, nextSequence: from + more.length },
      messages: more,
    });
  if (messages.length > 0) assert.equal(await append(1, messages), 'committed');
  return { tables, writer, sender, epoch, append, next: 1 + messages.length };
}

test('migrate makes the tables once, and checkSchema knows them', async () => {
  const tables = names();
  assert.equal(await schemaVersion(pool, tables), 0);
  await assert.rejects(checkSchema(pool, tables), { code: 'DB_SCHEMA', message: /init/ });
  assert.deepEqual(await migrate(pool, tables), { outcome: 'created', from: 0, to: SCHEMA });
  assert.deepEqual(await migrate(pool, tables), { outcome: 'already there', from: SCHEMA, to: SCHEMA });
  await checkSchema(pool, tables);
  // Half made: the watermark table, which carries the version, comes last.
  await pool.run(`DROP TABLE ${tables.watermark}, ${tables.member}`);
  assert.equal((await migrate(pool, tables)).outcome, 'created');
});

test('two that migrate at once do no harm', async () => {
  const tables = names();
  const results = await Promise.all([migrate(pool, tables), migrate(pool, tables)]);
  assert.ok(results.every(({ to }) => to === SCHEMA));
  await checkSchema(pool, tables);
});

test('tables of somebody else or of a newer version are refused and left alone', async () => {
  const tables = names();
  await pool.run(`CREATE TABLE ${tables.watermark} (id INT)`);
  await assert.rejects(migrate(pool, tables), { code: 'DB_SCHEMA' });
  assert.equal((await pool.query(`SHOW TABLES LIKE '${tables.outbox}'`)).length, 0);
  await pool.run(`ALTER TABLE ${tables.watermark} COMMENT = 'kafka-row-sender schema 99'`);
  await assert.rejects(migrate(pool, tables), { code: 'DB_UNSUPPORTED' });
  await assert.rejects(checkSchema(pool, tables), { code: 'DB_UNSUPPORTED' });
});

test('initSql prints what migrate runs', async () => {
  const tables = names();
  for (const statement of initSql(tables).split(';\n')) if (statement.trim()) await pool.run(statement);
  assert.equal((await migrate(pool, tables)).outcome, 'already there');
  assert.throws(() => initSql({ ...tables, outbox: 'outbox ' }), { code: 'CONFIG_INVALID' });
});

test('a row the server cannot take is refused, and nothing of its batch is written', async () => {
  const { append, writer, sender } = await world(1);
  const [row] = await pool.query<{ packet: string }>('SELECT @@max_allowed_packet AS packet');
  const tooLarge = Buffer.alloc(Number(row?.packet), 'x');
  await assert.rejects(append(1, [message(0, 1), message(0, 2, tooLarge)]), { code: 'DB_ROW_REFUSED' });
  assert.equal((await writer.loadWatermark('orders'))?.nextSequence, 1);
  const [batch] = await sender.readBatches([{ lane: 0, cursor: 0, rowsMax: 10 }], { rowsMax: 10, bytesMax: 1e6 });
  assert.deepEqual(batch?.rows, []);
});

test('a batch larger than one statement is still one transaction', async () => {
  const { append, sender } = await world(1);
  const value = Buffer.alloc(1_000_000, 'x');
  assert.equal(
    await append(
      1,
      Array.from({ length: 25 }, (_, index) => message(0, index + 1, value)),
    ),
    'committed',
  );
  const [batch] = await sender.readBatches([{ lane: 0, cursor: 0, rowsMax: 100 }], { rowsMax: 100, bytesMax: 1e8 });
  assert.equal(batch?.rows.length, 25);
  assert.ok(batch.rows.every((row) => row.value?.equals(value)));
});

test('reading far past the byte budget gives the connection up, and the next read asks for less', async () => {
  const value = Buffer.alloc(2_000_000, 'x');
  const { sender } = await world(
    1,
    Array.from({ length: 12 }, (_, index) => message(0, index + 1, value)),
  );
  const limits = { rowsMax: 1_000, bytesMax: 2_500_000 };
  let cursor = laneFloor(0);
  for (let reads = 0; reads < 12; reads += 1) {
    const [batch] = await sender.readBatches([{ lane: 0, cursor, rowsMax: 1_000 }], limits);
    assert.equal(batch?.rows.length, 1);
    assert.equal(batch.full, reads < 11 || batch.full);
    cursor = batch.rows[0]?.id ?? cursor;
  }
  assert.equal(cursor, outboxId(0, 12));
});

test('I2: a paused writer holds up neither reading nor deleting, and the server frees its locks for the next term', async () => {
  const rows = Array.from({ length: 20 }, (_, index) => message(0, index + 1));
  const { tables, writer, sender } = await world(1, rows);
  const paused = await openSession(testDatabaseOptions(database));
  await paused.run('START TRANSACTION');
  await paused.run(`UPDATE ${tables.watermark} SET next_sequence = 22 WHERE source = 'orders'`);
  await paused.run(
    `INSERT INTO ${tables.outbox} (id, event_id, topic, size) VALUES (${outboxId(0, 21)}, 'orders:21', 'orders', 0)`,
  );
  const started = performance.now();
  const [batch] = await sender.readBatches([{ lane: 0, cursor: 0, rowsMax: 100 }], { rowsMax: 100, bytesMax: 1e6 });
  assert.equal(batch?.rows.length, 20);
  assert.equal(await sender.deleteDelivered(0, 0, outboxId(0, 20), 1_000), outboxId(0, 20));
  assert.ok(performance.now() - started < 2_000, 'no wait for the lock of the row behind the range');
  // The paused session rests inside its transaction until the server ends it; the next term waits for that, and no longer.
  const begin = () => writer.beginTerm('orders', 'w2').catch(() => null);
  const term = await until('the next term', begin, LOCKS_FREED_MS);
  assert.deepEqual([term.leader, term.nextSequence], ['w2', 21]);
  assert.equal(paused.broken, true);
});

test('statistics count what waits per lane, bounded, with the age of the oldest', async () => {
  const { tables, sender } = await world(2, [
    ...Array.from({ length: 12 }, (_, index) => message(0, index + 1)),
    message(1, 13),
  ]);
  await pool.run(`UPDATE ${tables.outbox} SET created_at = created_at - INTERVAL 60 SECOND WHERE id = ?`, [
    outboxId(0, 3),
  ]);
  await sender.deleteDelivered(0, 0, outboxId(0, 2), 100);
  await sender.deleteDelivered(1, laneFloor(1), outboxId(1, 13), 100);
  const [busy, empty] = await outboxStatistics(pool, tables, 5);
  assert.deepEqual([busy?.lane, busy?.source, busy?.rows, busy?.capped], [0, 'orders', 5, true]);
  const age = busy?.oldestAgeMs ?? 0;
  assert.ok(age >= 60_000 && age < 90_000, `${age} ms`);
  assert.deepEqual(empty, { lane: 1, source: 'orders', rows: 0, capped: false, oldestAgeMs: null });
  const [exact] = await outboxStatistics(pool, tables);
  assert.deepEqual([exact?.rows, exact?.capped], [10, false]);
});

test('the operator sees watermarks and members', async () => {
  const { tables, sender, epoch } = await world(1);
  await sender.heartbeat({ id: 's1', kind: 'sender' }, 10_000);
  await sender.heartbeat({ id: 'w1', kind: 'writer' }, 10_000);
  assert.deepEqual(
    (await listWatermarks(pool, tables)).map((each) => [each.source, each.epoch, each.leader]),
    [['orders', epoch, 'w1']],
  );
  const members = await listMembers(pool, tables);
  assert.deepEqual(
    members.map(({ id, kind }) => [id, kind]),
    [
      ['s1', 'sender'],
      ['w1', 'writer'],
    ],
  );
  assert.ok(members.every(({ silentMs, upMs }) => silentMs >= 0 && upMs >= silentMs && upMs < 30_000));
});

test('the operator pauses and resumes lanes', async () => {
  const { tables, sender } = await world(2);
  const claim = await sender.claimLane(1, 'a', 10_000);
  assert.equal(await pauseLane(pool, tables, 1, 'maintenance'), true);
  assert.equal(await pauseLane(pool, tables, 1, 'again'), false);
  assert.deepEqual(await sender.renewLeases([{ lane: 1, claimEpoch: claim?.claimEpoch ?? 0 }], 10_000), []);
  assert.equal(await resumeLane(pool, tables, 1, { deliveredId: outboxId(1, 7) }), true);
  const row = async () => (await sender.listLanes())[1];
  assert.deepEqual(
    [(await row())?.state, (await row())?.why, (await row())?.deliveredId],
    ['running', null, outboxId(1, 7)],
  );
  assert.equal(await resumeLane(pool, tables, 1), true);
  assert.equal((await row())?.deliveredId, outboxId(1, 7));
  assert.equal(await resumeLane(pool, tables, 1, 'marker-lost'), true);
  assert.equal((await row())?.deliveredId, null);
  await assert.rejects(resumeLane(pool, tables, 1, { deliveredId: 5 }), { code: 'CONFIG_INVALID' });
  assert.equal(await resumeLane(pool, tables, 9), false);
});

test('dead letters are listed, tried again and dropped by an operator’s word only', async () => {
  const { tables, sender } = await world(1);
  const claim = await sender.claimLane(0, 'a', 10_000);
  const epoch = claim?.claimEpoch ?? 0;
  const facts = { state: 'dead' as const, dueInMs: 0 };
  const rows = [1, 2, 3].map((sequence) => {
    return { ...facts, row: { ...message(0, sequence), size: 3 }, error: `refused ${sequence}` };
  });
  await sender.setAside(0, epoch, rows);
  await sender.setAside(0, epoch, [{ ...rows[0]!, row: { ...message(0, 4), size: 3 }, state: 'parked' }]);
  assert.deepEqual(await countAside(pool, tables), { retrying: 0, parked: 1, waiting: 0, dead: 3 });
  const page = (await listDeadLetters(pool, tables, { rowsMax: 2 })).map(({ id, error, state }) => [id, error, state]);
  assert.deepEqual(
    page,
    [1, 2].map((sequence) => [outboxId(0, sequence), `refused ${sequence}`, 'dead']),
  );
  assert.equal((await listDeadLetters(pool, tables, { rowsMax: 2, after: outboxId(0, 2) })).length, 1);
  assert.equal(await requeueDead(pool, tables, outboxId(0, 2)), true);
  assert.equal(await requeueDead(pool, tables, outboxId(0, 2)), false);
  assert.equal(await dropDead(pool, tables, outboxId(0, 4)), false, 'a row that waits behind its key is not dropped');
  assert.deepEqual(await sender.beginAttempt(0, epoch, [outboxId(0, 2)], 5), [outboxId(0, 2)]);
  assert.equal(await dropDead(pool, tables, outboxId(0, 2)), false, 'a row that is being sent is not dropped');
  assert.equal(await dropDead(pool, tables, outboxId(0, 3)), true);
  assert.deepEqual(await countAside(pool, tables), { retrying: 1, parked: 1, waiting: 0, dead: 1 });
  // Refused again: given up only once its lane was halted over it.
  const refused = { error: 'refused again', dueInMs: 0, state: 'retrying' as const };
  assert.equal(await sender.failAttempts(0, epoch, [outboxId(0, 2)], refused), true);
  const list = (all: boolean) => listDeadLetters(pool, tables, { rowsMax: 9, all });
  const ids = async (all: boolean) => (await list(all)).map(({ id }) => id - laneFloor(0));
  assert.deepEqual([await ids(false), await ids(true)], [[1], [1, 2, 4]]);
  assert.equal(await sender.haltLane(0, epoch, 'row 2 was refused'), true);
  assert.deepEqual(await ids(false), [1, 2]);
  assert.equal(await requeueDead(pool, tables, outboxId(0, 2)), true);
  assert.deepEqual(await ids(false), [1]);
  const [head] = await sender.listAsideHeads([0], 10);
  assert.deepEqual([head?.id, head?.attempts, (head?.dueInMs ?? 1) <= 0], [outboxId(0, 2), 0, true]);
  assert.equal(await dropDead(pool, tables, outboxId(0, 2)), true);
});
