/** When the look below is made, and what it makes of what it finds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, RelayError, systemClock } from '#runtime';
import { GapSet } from './gap-set.ts';
import { LookBelow } from './look-below.ts';

/** A clock that stands still but for what a look takes. */
function scene(answers: (bigint | null | RelayError)[], lookMs = 1) {
  let nowMs = 0;
  let looks = 0;
  const clock: Clock = { ...systemClock, nowMs: () => nowMs };
  const lowestPosition = async () => {
    looks += 1;
    nowMs += lookMs;
    const answer = answers.shift() ?? null;
    if (answer instanceof RelayError) throw answer;
    return answer;
  };
  const below = new LookBelow({ lowestPosition, remove: async () => true }, clock);
  return {
    look: (position: bigint, gaps = GapSet.restore([], 0)) => below.look(position, gaps),
    pass: (ms: number) => {
      nowMs += ms;
    },
    looks: () => looks,
  };
}

test('the first look is made at once, the next after a while, sooner when a row was found', async () => {
  const { look, pass, looks } = scene([null, 7n, null]);
  assert.equal(await look(10n), null);
  assert.equal(await look(10n), null);
  assert.equal(looks(), 1);
  pass(5_000);
  assert.equal(await look(10n), 6n);
  assert.equal(await look(6n), null);
  assert.equal(looks(), 3);
});

test('a row above the position, or in an open gap, is found without it', async () => {
  const { look, pass } = scene([11n, 7n]);
  assert.equal(await look(10n), null);
  pass(5_000);
  assert.equal(await look(10n, GapSet.of([{ from: 6n, to: 8n }], 0)), null);
});

test('a look that takes long comes less often', async () => {
  const { look, pass, looks } = scene([], 2_000);
  await look(10n);
  pass(39_000);
  await look(10n);
  assert.equal(looks(), 1);
  pass(1_001);
  await look(10n);
  assert.equal(looks(), 2);
});

test('one that fails for now is made again later; a fault for good ends the term', async () => {
  const late = new RelayError('DEADLINE_EXCEEDED', 'late');
  const { look, pass, looks } = scene([late, new RelayError('DB_SCHEMA', 'gone')]);
  assert.equal(await look(10n), null);
  assert.equal(await look(10n), null);
  assert.equal(looks(), 1);
  pass(5_000);
  await assert.rejects(look(10n), { code: 'DB_SCHEMA' });
});
