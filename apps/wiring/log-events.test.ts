/** What is summed up: thousands of gaps make one line, and no line says nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#runtime';
import { summariseGaps } from './log-events.ts';

test('the gaps of each source are one line a flush, and a quiet time is none', () => {
  const lines: Record<string, unknown>[] = [];
  const sums = summariseGaps({ ...silentLogger, info: (facts: object) => void lines.push({ ...facts }) });
  for (let at = 1n; at <= 1_000n; at += 1n) {
    sums.note({ kind: 'gap-opened', source: 'orders', from: at * 10n, to: at * 10n + 1n });
    sums.note({ kind: 'gap-closed', source: 'orders', from: at * 10n, to: at * 10n + 1n, openMs: Number(at) + 0.4 });
  }
  sums.note({ kind: 'gap-opened', source: 'other', from: 7n, to: 7n });
  sums.flush();
  sums.flush();
  assert.deepEqual(lines, [
    { event: 'gaps', source: 'orders', opened: 1_000, closed: 1_000, last: '10000 to 10001', longestMs: 1_000 },
    { event: 'gaps', source: 'other', opened: 1, closed: 0, last: '7' },
  ]);
});
