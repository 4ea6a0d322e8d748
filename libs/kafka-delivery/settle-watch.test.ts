/** Rows that are not deleted are heard of, and not too often. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logger, RelayError, silentLogger, systemClock } from '#runtime';
import { createSettleWatch } from './settle-watch.ts';

test('a look that keeps failing is told after a while and once a minute, and its end is', async () => {
  let nowMs = 1_000;
  const said: string[] = [];
  const say = (facts: unknown) => {
    const { event, code, forMs } = facts as Record<string, unknown>;
    said.push([event, code, forMs].join(' '));
  };
  const logger = { ...silentLogger, warn: say, info: say } as unknown as Logger;
  const watch = createSettleWatch({ clock: { ...systemClock, nowMs: () => nowMs }, logger });
  const failing = () => Promise.reject(new RelayError('KAFKA_UNREACHABLE', 'away'));
  for (let second = 0; second < 100; second += 1) {
    await assert.rejects(watch(failing), { code: 'KAFKA_UNREACHABLE' });
    nowMs += 1_000;
  }
  assert.deepEqual(said, ['not-settling KAFKA_UNREACHABLE 20000', 'not-settling KAFKA_UNREACHABLE 80000']);
  assert.equal(await watch(async () => 7), 7);
  await watch(async () => 7);
  assert.deepEqual(said.slice(2), ['settling  ']);
  await assert.rejects(watch(failing));
  assert.equal(said.length, 3, 'a fault of a moment is not worth a line');
});
