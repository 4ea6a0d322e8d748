/** When hints ring, on a clock of the test's own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { createCommitHints } from '#doorbell';
import type { Clock } from '#runtime';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

function world() {
  let nowMs = 0;
  const sleepers = new Set<Sleeper>();
  const clock: Clock = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const wake = () => {
          sleepers.delete(sleeper);
          resolve();
        };
        const sleeper = { dueMs: nowMs + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', wake, { once: true });
      }),
  };
  /** Lets time pass, waking one sleeper after another. */
  const advance = async (ms: number) => {
    const untilMs = nowMs + ms;
    await new Promise(setImmediate);
    for (;;) {
      const [next] = [...sleepers].toSorted((a, b) => a.dueMs - b.dueMs);
      if (!next || next.dueMs > untilMs) break;
      nowMs = next.dueMs;
      next.wake();
      await new Promise(setImmediate);
    }
    nowMs = untilMs;
  };
  const rungAtMs: number[] = [];
  const hints = createCommitHints({ ring: () => rungAtMs.push(nowMs), clock });
  return { hints, advance, rungAtMs, sleepers };
}

test('each wait is twice the one before, for some 20 s, and then it is quiet', async () => {
  const { hints, advance, rungAtMs, sleepers } = world();
  hints.ringSoon();
  await advance(100_000);
  assert.deepEqual(rungAtMs, [10, 30, 70, 150, 310, 630, 1270, 2550, 5110, 10_230, 20_470]);
  assert.equal(sleepers.size, 0);
  hints.ringSoon();
  await advance(15);
  assert.equal(rungAtMs.at(-1), 100_010, 'and it begins anew');
});

test('a row that comes meanwhile is rung for as soon as it would be alone, and rows by the hundred make one series', async () => {
  const { hints, advance, rungAtMs } = world();
  hints.ringSoon();
  await advance(1_000);
  rungAtMs.length = 0;
  hints.ringSoon();
  await advance(10);
  assert.deepEqual(rungAtMs, [1_010]);
  rungAtMs.length = 0;
  for (let n = 0; n < 300; n += 1) {
    hints.ringSoon();
    await advance(1);
  }
  assert.ok(rungAtMs.length >= 28 && rungAtMs.length <= 31, `${rungAtMs.length} rings in 300 ms`);
  const gaps = rungAtMs.slice(1).map((atMs, index) => atMs - (rungAtMs[index] ?? 0));
  assert.ok(Math.max(...gaps) <= 20, `${gaps}`);
});

test('close rings for who still waits, once, and nothing rings after it', async () => {
  const { hints, advance, rungAtMs, sleepers } = world();
  hints.ringSoon();
  hints.close();
  hints.close();
  hints.ringSoon();
  await advance(60_000);
  assert.deepEqual(rungAtMs, [0]);
  assert.equal(sleepers.size, 0);
  const idle = world();
  idle.hints.close();
  assert.deepEqual(idle.rungAtMs, []);
});

test('rings to come do not keep a process alive', () => {
  const code = "import { createCommitHints } from '#doorbell'; createCommitHints({ ring: () => {} }).ringSoon();";
  const { status, signal } = spawnSync(
    process.execPath,
    ['--conditions=source', '--input-type=module', '--eval', code],
    { timeout: 15_000 },
  );
  assert.deepEqual([status, signal], [0, null]);
});
