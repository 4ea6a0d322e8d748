/** Pauses that a commit ends early, and those that it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#runtime';
import { wakeable } from './wakeable-clock.ts';

/** Records the pauses asked for; `onSleep` happens during each. An aborted one is over at once. */
function recorder(onSleep: (count: number) => void): { readonly clock: Clock; readonly slept: number[] } {
  const slept: number[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    wallMs: () => 0,
    sleep: async (ms, signal) => {
      slept.push(ms);
      onSleep(slept.length);
      if (slept.length === 2 && ms > 10) assert.equal(signal?.aborted, true, 'the pause was ended');
    },
  };
  return { clock, slept };
}

test('a commit during a pause ends it, after commits close by were gathered', async () => {
  const { clock, slept } = recorder((count) => {
    if (count === 2) woken.wake();
  });
  const woken = wakeable(clock);
  await woken.sleep(1_000);
  assert.deepEqual(slept, [10, 990]);
});

test('a commit before or while gathering leaves no pause after it, and the next one is whole again', async () => {
  const { clock, slept } = recorder((count) => {
    if (count === 1) woken.wake();
    if (count === 3) woken.wake();
  });
  const woken = wakeable(clock);
  await woken.sleep(500);
  assert.deepEqual(slept, [10]);
  await woken.sleep(5);
  assert.deepEqual(slept, [10, 5], 'a short pause is not lengthened');
});

test('a pause after a fault lasts, whatever is committed', async () => {
  const { clock, slept } = recorder(() => undefined);
  const woken = wakeable(clock);
  woken.deaf = true;
  woken.wake();
  await woken.sleep(700);
  assert.deepEqual(slept, [700]);
});
