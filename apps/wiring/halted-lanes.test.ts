/** Health says which lanes are halted, until they are not: also when another sender has taken them since. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgressHealth } from '#observability';
import type { LaneRow, LaneState } from '#outbox';
import { systemClock } from '#runtime';
import { createHaltedLanes } from './halted-lanes.ts';

const row = (lane: number, state: LaneState): LaneRow => ({
  ...{ lane, state, source: 's', deliveredId: 1, holder: 'another', claimEpoch: 2, leaseExpired: false, why: null },
});

test('a lane that was resumed and taken by another sender is not held against this one', async () => {
  const health = createProgressHealth({ clock: systemClock, stallMs: 60_000 });
  const lanes = createHaltedLanes(health);
  lanes.halted(1);
  lanes.halted(2);
  await lanes.look(async () => [row(1, 'halted'), row(2, 'running'), row(3, 'running')]);
  assert.deepEqual(health.health().reasons, ['lane 1: halted']);
  lanes.forget(1);
  assert.equal(health.health().healthy, true);
});

test('a lane that halts while its row is being read stays halted', async () => {
  const health = createProgressHealth({ clock: systemClock, stallMs: 60_000 });
  const lanes = createHaltedLanes(health);
  await lanes.look(async () => {
    lanes.halted(1);
    return [row(1, 'running')];
  });
  assert.equal(health.health().healthy, false);
});
