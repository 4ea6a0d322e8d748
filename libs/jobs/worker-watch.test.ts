/** When a worker counts as hung. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkerWatch } from './worker-watch.ts';

test('a worker hangs only when jobs have waited in every look for the whole silent time', () => {
  const hangs = createWorkerWatch(30_000);
  const idle = { full: false, lastActiveMs: 0 };
  assert.equal(hangs({ ...idle, waiting: 0 }, 1_000_000), false);
  assert.equal(hangs({ ...idle, waiting: 3 }, 1_000_100), false, 'the job came a moment ago');
  assert.equal(hangs({ ...idle, waiting: 3 }, 1_029_000), false);
  assert.equal(hangs({ ...idle, waiting: null }, 1_030_000), false, 'Redis was away: nothing is known');
  assert.equal(hangs({ ...idle, waiting: 3 }, 1_031_000), false, 'so the time starts anew');
  assert.equal(hangs({ ...idle, waiting: 3 }, 1_061_000), true);
  assert.equal(hangs({ ...idle, waiting: 3 }, 1_061_001), false, 'said once');
});

test('a worker that takes jobs, or cannot take more, does not hang', () => {
  const hangs = createWorkerWatch(30_000);
  for (let nowMs = 0; nowMs < 300_000; nowMs += 10_000) {
    assert.equal(hangs({ waiting: 5, full: false, lastActiveMs: nowMs - 5000 }, nowMs), false);
  }
  for (let nowMs = 300_000; nowMs < 600_000; nowMs += 10_000) {
    assert.equal(hangs({ waiting: 5, full: true, lastActiveMs: 0 }, nowMs), false);
  }
});
