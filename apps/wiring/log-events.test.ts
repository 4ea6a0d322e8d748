/** What is summed up: thousands of gaps make one line, and no line says nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock } from '#runtime';
import { logSenderEvents, summariseGaps } from './log-events.ts';

test('the gaps of each source are one line a flush, and a quiet time is none', () => {
  const lines: Record<string, unknown>[] = [];
  const logger = { ...silentLogger, info: (facts: object) => void lines.push({ ...facts }) };
  const sums = summariseGaps(logger, systemClock);
  for (let at = 1n; at <= 1_000n; at += 1n) {
    sums.note({ kind: 'gaps-opened', source: 'orders', missing: 2n, last: at * 10n });
    sums.note({ kind: 'gaps-closed', source: 'orders', ranges: 1, missing: 2n });
  }
  sums.note({ kind: 'gaps-opened', source: 'other', missing: 1n, last: 7n });
  sums.flush();
  sums.flush();
  assert.deepEqual(lines, [
    { event: 'gaps', source: 'orders', opened: '2000', closed: '2000', last: '10000' },
    { event: 'gaps', source: 'other', opened: '1', closed: '0', last: '7' },
  ]);
});

test('a gap that stays open is told with its holder, once a minute, and what to do', () => {
  const lines: string[] = [];
  let nowMs = 0;
  const logger = { ...silentLogger, warn: (_facts: object, line: string) => void lines.push(line) };
  const sums = summariseGaps(logger, { ...systemClock, nowMs: () => nowMs });
  const held = { kind: 'gaps-held', source: 'orders', ranges: 1, missing: 3n, oldestMs: 9_000, staleMs: 0 } as const;
  sums.note({ ...held, holders: 1, connection: '42', since: '2026-01-01 10:00:00' });
  sums.flush();
  assert.deepEqual(lines, [], 'a young gap is nothing to tell');
  sums.note({ ...held, oldestMs: 20_000, holders: 1, connection: '42', since: '2026-01-01 10:00:00' });
  for (; nowMs < 65_000; nowMs += 10_000) sums.flush();
  assert.equal(lines.length, 2);
  assert.match(lines.at(0) ?? '', /connection 42 .* since 2026-01-01 10:00:00.*end it/);
  sums.note({ ...held, oldestMs: 20_000, staleMs: 20_000, holders: 0, connection: null, since: null });
  nowMs = 200_000;
  sums.flush();
  assert.match(lines.at(2) ?? '', /no fresh list.*stop the program/);
});

test('a partition that takes nothing is told once a minute, and at once when something changes', () => {
  const lines: string[] = [];
  let nowMs = 0;
  const logger = { ...silentLogger, warn: (facts: object) => void lines.push((facts as { code: string }).code) };
  const log = logSenderEvents(logger, { ...systemClock, nowMs: () => nowMs });
  const place = { topic: 'events', cause: 'topic-leaderless', message: 'no leader' } as const;
  const fault = { kind: 'target-blocked', ...place, waiting: 0, forMs: 0 } as const;
  const times = { attempt: 1, delayMs: 100 };
  const tell = (partition: number, code: 'KAFKA_UNREACHABLE' | 'KAFKA_REFUSED', isAside: boolean) =>
    log({ ...fault, partition, code, isAside, ...times });
  for (; nowMs < 30_000; nowMs += 1_000) tell(0, 'KAFKA_UNREACHABLE', false);
  assert.equal(lines.length, 1);
  tell(1, 'KAFKA_UNREACHABLE', false);
  tell(0, 'KAFKA_UNREACHABLE', true);
  tell(0, 'KAFKA_REFUSED', true);
  assert.deepEqual(lines.slice(1), ['KAFKA_UNREACHABLE', 'KAFKA_UNREACHABLE', 'KAFKA_REFUSED']);
  for (; nowMs < 100_000; nowMs += 1_000) tell(0, 'KAFKA_REFUSED', true);
  assert.equal(lines.length, 5);
  log({ kind: 'target-back', topic: 'events', partition: 0, blockedMs: 1 });
  tell(0, 'KAFKA_REFUSED', true);
  assert.equal(lines.length, 6);
});
