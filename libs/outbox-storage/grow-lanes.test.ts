/** Lanes are added only while the source's lanes are empty, and the writer that knows the old ones is fenced (I5). */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createPool, errnoOf, type Pool } from '#database';
import { laneFloor, type OutboxMessage, type OutboxTables, outboxId } from '#outbox';
import { createTestDatabase, failOnLeaks, type TestDatabase, testDatabaseOptions, testTables, until } from '#testkit';
import { createSenderStore, createWriterStore, growLanes, migrate } from './index.ts';

/** MariaDB answers a refused NOWAIT with it. */
/** NOWAIT refused, on MariaDB and on MySQL. */
const LOCKED_ERRNOS: readonly (number | null)[] = [1205, 3572];
const tables: OutboxTables = testTables();

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_grow' });
  pool = createPool(testDatabaseOptions(database));
});
after(async () => {
  await pool.close();
  await database.drop();
});
failOnLeaks();

const message = (lane: number, sequence: number): OutboxMessage => ({
  id: outboxId(lane, sequence),
  eventId: `orders:${sequence}`,
  topic: 'orders',
  key: Buffer.from('k'),
  value: Buffer.from('{}'),
  headers: null,
});

const writer = () => createWriterStore({ pool, tables });
const sender = () => createSenderStore({ pool, tables });
const grow = (lanes: number, drainMs = 0, source = 'orders') => growLanes({ pool, tables }, { source, lanes, drainMs });

/** Appends one row of lane 0 under `epoch`, as the writer that leads would. */
const append = (epoch: number, sequence: number) =>
  writer().append({
    source: 'orders',
    epoch,
    expectedNextSequence: sequence,
    next: { position: BigInt(sequence), gaps: { put: [], drop: [] }, nextSequence: sequence + 1 },
    messages: [message(0, sequence)],
  });

/** A source with the lanes 0 and 1, another with lane 2, and a writer's term over the first. */
let epoch = 0;
beforeEach(async () => {
  for (const table of Object.values(tables)) await pool.run(`DROP TABLE IF EXISTS ${table}`);
  await migrate(pool, tables);
  await writer().registerSource({ source: 'orders', position: 0n, gaps: [], lanes: 2 });
  await writer().registerSource({ source: 'other', position: 0n, gaps: [], lanes: 1 });
  epoch = (await writer().beginTerm('orders', 'w')).epoch;
});

test('empty lanes: new ones come next after the highest, and the writer under way is fenced', async () => {
  assert.deepEqual(await grow(4), { kind: 'grown', added: [3, 4] });
  assert.deepEqual(await writer().lanesOf('orders'), [0, 1, 3, 4]);
  assert.equal(await append(epoch, 1), 'fenced');
  const next = await writer().beginTerm('orders', 'w');
  assert.equal(next.epoch, epoch + 2);
  assert.equal(await append(next.epoch, 1), 'committed');
  assert.deepEqual(await grow(4), { kind: 'there' });
});

test('a row in the outbox or waiting aside refuses it, and the term goes on; a dead letter does not', async () => {
  assert.equal(await append(epoch, 1), 'committed');
  assert.deepEqual(await grow(3), { kind: 'not-empty', lanes: [0] });
  assert.equal(await append(epoch, 2), 'committed');
  const claim = await sender().claimLane(0, 'tx', 60_000);
  assert.ok(claim);
  const [batch] = await sender().readBatches([{ lane: 0, cursor: laneFloor(0), rowsMax: 10 }], {
    rowsMax: 10,
    bytesMax: 1_000,
  });
  const row = batch?.rows[1];
  assert.ok(row);
  await sender().setAside(0, claim.claimEpoch, [{ row, state: 'retrying', error: 'x', dueInMs: 0 }]);
  await sender().deleteDelivered(0, laneFloor(0), row.id, 100);
  assert.deepEqual(await grow(3), { kind: 'not-empty', lanes: [0] });
  await sender().failAttempts(0, claim.claimEpoch, [row.id], { error: 'x', dueInMs: 0, state: 'dead' });
  assert.deepEqual(await grow(3), { kind: 'grown', added: [3] });
});

/** True once somebody's transaction holds the watermark row. */
async function isWatermarkLocked(): Promise<boolean> {
  const look = pool.query("SELECT 1 FROM watermark WHERE source = 'orders' FOR UPDATE NOWAIT");
  return look.then(
    () => false,
    (error) => LOCKED_ERRNOS.includes(errnoOf(error)),
  );
}

test('while it waits for the lanes to empty, an append waits for it and is then fenced', async () => {
  assert.equal(await append(epoch, 1), 'committed');
  const growing = grow(3, 4_000);
  await until('the watermark row is locked', isWatermarkLocked, 4_000);
  const appending = append(epoch, 2);
  await sender().deleteDelivered(0, laneFloor(0), outboxId(0, 1), 100);
  assert.deepEqual(await Promise.all([growing, appending]), [{ kind: 'grown', added: [3] }, 'fenced']);
});

test('what cannot be done is refused: fewer lanes, an unknown source, more lanes than there can be', async () => {
  await assert.rejects(grow(1), { code: 'CONFIG_INVALID', message: /only become more/ });
  await assert.rejects(grow(4, 0, 'nobody'), { code: 'CONFIG_INVALID', message: /nobody/ });
  await assert.rejects(grow(1_024), { code: 'CONFIG_INVALID', message: /of 1024 are left/ });
  assert.deepEqual(await writer().lanesOf('orders'), [0, 1]);
});
