/**
 * The whole row path on real servers, with processes that are killed, paused and started anew under load: every committed
 * row is in the topic once (I1, I2, I4), in the order of its key (I3, I5), and the outbox is empty (I6).
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  assertContiguousIds,
  assertLedgerDelivered,
  type Deployment,
  failOnLeaks,
  type Load,
  readSampleRow,
  readTopic,
  testSeed,
  until,
} from '#testkit';
import { outboxRows } from './check-delivery.ts';
import { isEvent, lanesOf, leaderOf } from './observe.ts';
import { createSample, startSampleLoad } from './sample.ts';

const ROWS_MIN = 20_000;
const ROWS_PER_SECOND = 1_500;
const CONNECTIONS = 8;
const START_DEADLINE_MS = 30_000;
const LOAD_DEADLINE_MS = 60_000;
const TAKE_OVER_DEADLINE_MS = 20_000;
const OUTBOX_DEADLINE_MS = 30_000;
const SETTINGS = { WRITER_LOCK_TTL: '3', LANE_LEASE: '5' };

const seed = testSeed();
let deployment: Deployment | null = null;
let load: Load | null = null;

after(async () => {
  await load?.stop().catch(() => undefined);
  await deployment?.drop();
});

failOnLeaks();

const now = () => Date.now();

test(`I1 I2 I4 I5: each row once and in order while writers and senders are killed and paused (KRS_TEST_SEED=${seed})`, async () => {
  deployment = await createSample(SETTINGS);
  const relay = deployment;
  await relay.init();
  const writers = [relay.writer(), relay.writer()];
  const senders = [relay.sender(), relay.sender(), relay.sender()];
  load = startSampleLoad(relay, { connections: CONNECTIONS, seed, rowsPerSecond: ROWS_PER_SECOND });
  const { progress } = load;
  const committed = (rows: number) =>
    until(`${rows} committed rows`, () => progress.committedRows >= rows, LOAD_DEADLINE_MS);
  await committed(3_000);

  const leader = await leaderOf(relay, writers, START_DEADLINE_MS);
  const [standby] = writers.filter((writer) => writer !== leader);
  assert.ok(standby);
  const killedMs = now();
  await leader.kill();
  await standby.waitForLog(isEvent('term-begun', killedMs), TAKE_OVER_DEADLINE_MS, 'the beginning of its term');
  relay.writer();

  const [killed, paused, third] = senders;
  assert.ok(killed && paused && third);
  await until('a sender with lanes', async () => (await lanesOf(relay, killed)).length > 0, START_DEADLINE_MS);
  await killed.kill();
  relay.sender();
  await until('another one with lanes', async () => (await lanesOf(relay, paused)).length > 0, START_DEADLINE_MS);
  const pausedMs = now();
  paused.pause();
  for (const sender of [killed, paused]) {
    await until(
      'its lanes in other hands',
      async () => (await lanesOf(relay, sender)).length === 0,
      TAKE_OVER_DEADLINE_MS,
    );
  }
  assert.ok(now() - pausedMs > 4_000, 'a lease is not taken before it has run out');
  const resumedMs = now();
  paused.resume();
  await paused.waitForLog(isEvent('lane-taken', resumedMs), TAKE_OVER_DEADLINE_MS, 'lanes of its own again');

  await committed(ROWS_MIN);
  const ledger = await load.stop();
  assert.equal(progress.lockErrors, 0, 'no statement of the application waited on a lock of ours');
  const { code, output } = await relay.cli('verify', '--wait', '60');
  assert.equal(code, 0, output);
  assert.match(
    output,
    new RegExp(`^delivered ${ledger.rows} of ${ledger.rows}: 0 missing, 0 duplicated, 0 out of order$`, 'm'),
  );
  const records = await readTopic(relay.topic);
  assertLedgerDelivered(
    ledger,
    records.map(({ value }) => readSampleRow(value)),
  );
  const sequences = records.map(({ headers }) => Number(headers['outbox-id']) % 2 ** 43);
  assertContiguousIds(sequences, 1, ledger.rows);
  await until('an empty outbox', async () => (await outboxRows(relay)) === 0, OUTBOX_DEADLINE_MS);
  await relay.stopAll();
});
