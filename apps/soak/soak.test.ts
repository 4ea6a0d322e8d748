/**
 * A short soak: half a minute of statements that own ids without rows, with long waits, KILLs, XA and a restart of the database,
 * judged by tokens. `npm run soak:gaps` runs millions of rows in every innodb_autoinc_lock_mode.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#runtime';
import { failOnLeaks, testEnvironment, testSeed } from '#testkit';
import { runPhase } from './phase.ts';
import { judge, summary } from './report.ts';

failOnLeaks();

/** Interleaved: no statement keeps the others from inserting, so that most ids are overtaken. */
const LOCK_MODE = 2;
const LOAD_MS = 22_000;
const LONG_MS = 9_000;
const CONNECTIONS = 20;
/** Waits under a second are no danger to a grace of a second. */
const DANGEROUS_MIN = 20;

test('I1, I4, I5: rows whose ids had none while their statements waited arrive once each and in order', async () => {
  const seed = testSeed();
  const { redisUrl, kafkaBootstrap } = testEnvironment();
  const phase = await runPhase({
    ...{ redisUrl, kafkaBootstrap, seed, lockMode: LOCK_MODE, connections: CONNECTIONS, longMs: LONG_MS },
    child: true,
    rows: Number.POSITIVE_INFINITY,
    untilMs: systemClock.nowMs() + LOAD_MS,
    senders: 1,
    faultEveryMs: { min: LOAD_MS / 2, max: LOAD_MS / 2 },
    history: null,
    signal: new AbortController().signal,
    say: () => undefined,
  });
  const { faults, line } = judge([phase]);
  const found = `KRS_TEST_SEED=${seed}\n${line}\n${summary(`innodb_autoinc_lock_mode ${LOCK_MODE}`, phase)}`;
  assert.deepEqual(faults, [], found);
  assert.ok(phase.progress.dangerousAndSlow >= DANGEROUS_MIN, found);
  assert.ok(phase.restarts + phase.writerKills > 0, found);
});
