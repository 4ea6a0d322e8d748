/**
 * A short drill: one deployment under load on servers of its own, and a fixed choice of cheap faults in a fixed order, with all
 * of the drill's oracles. `npm run drill` injects the others.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#runtime';
import { seededRandom } from '#testkit';
import { createChance } from './chance.ts';
import type { Fault } from './fault.ts';
import { namedFaults } from './faults/index.ts';
import { runRound } from './round.ts';
import { type DrillServers, startServers } from './servers.ts';
import { Statistics, totalsOf } from './statistics.ts';

const SEED = 20_260_101;
const NAMES = [
  'crash-writer-after-cas',
  'crash-writer-before-commit',
  'lost-reply-commit-to-database',
  'crash-kafka-before-commit',
  'crash-kafka-after-commit',
  'crash-sender-in-delete',
  'redis-flushall',
  'lost-reply-end-txn',
  'one-topic-denied',
  'flapping-database',
  'pause-sender',
  'redis-away-leader-paused',
  'kill-storm',
] as const;
const ROWS_PER_SECOND = 200;
/** No fault is begun later; as a rule all are over in half of it. */
const BEGIN_WITHIN_MS = 4 * 60_000;
const KILLS_MIN = 15;

let servers: DrillServers;
const logs = mkdtempSync(join(tmpdir(), 'krs-short-drill-'));

before(async () => {
  servers = await startServers();
});
after(async () => {
  await servers?.stop();
});

test('kills between steps, pauses, lost replies, cuts, a topic denied, Redis emptied and away: each row once and in order', async () => {
  const faults = NAMES.map((name) => namedFaults([name])[0] as Fault);
  const statistics = new Statistics();
  const queue = [...faults];
  const failure = await runRound({
    stage: { servers, faultsMax: faults.length, close: async () => undefined },
    bag: { next: () => queue.splice(0, 1) },
    number: 1,
    seed: SEED,
    chance: createChance(seededRandom(SEED)),
    rowsPerSecond: ROWS_PER_SECOND,
    untilMs: systemClock.nowMs() + BEGIN_WITHIN_MS,
    logs,
    statistics,
    signal: new AbortController().signal,
    say: (text) => void process.stdout.write(`${text}\n`),
  });
  if (failure !== null) {
    const rerun = `npm run drill -- --seed ${SEED} --only ${NAMES.join(',')}`;
    assert.fail(`during ${failure.during}: ${failure.why}\nlogs: ${failure.logs}\nrerun: ${rerun}`);
  }
  rmSync(logs, { recursive: true, force: true });
  const { injected, kills, lost, doubled, reordered } = totalsOf(statistics.figures);
  assert.deepEqual(
    { injected, lost, doubled, reordered },
    { injected: NAMES.length, lost: 0, doubled: 0, reordered: 0 },
  );
  assert.ok(kills >= KILLS_MIN, `only ${kills} processes were killed`);
  assert.ok(statistics.figures.rows > 0, 'no rows were committed');
});
