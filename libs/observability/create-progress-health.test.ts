/** Progress, not liveness, on a clock of the test's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#runtime';
import { createProgressHealth } from './create-progress-health.ts';

function setUp() {
  let nowMs = 1000;
  const health = createProgressHealth({ clock: { ...systemClock, nowMs: () => nowMs }, stallMs: 30_000 });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { health, pass };
}

test('idle and standby are healthy for ever', () => {
  const { health, pass } = setUp();
  assert.deepEqual(health.health(), { healthy: true, reasons: [] });
  health.idle('orders');
  pass(10_000_000);
  assert.equal(health.health().healthy, true);
});

test('work without progress is unhealthy from the stall time on, and progress heals', () => {
  const { health, pass } = setUp();
  health.working('orders');
  pass(29_999);
  health.working('orders');
  assert.equal(health.health().healthy, true);
  pass(1);
  assert.deepEqual(health.health().reasons, ['orders: has work but made no progress for 30 s']);
  health.progressed('orders');
  assert.equal(health.health().healthy, true);
  pass(30_000);
  assert.equal(health.health().healthy, false, 'progress with more work behind it is due again');
  health.idle('orders');
  assert.equal(health.health().healthy, true);
});

test('each subject counts alone; one that is stuck says why; a forgotten one does not count', () => {
  const { health, pass } = setUp();
  health.working('orders');
  health.working('invoices');
  pass(20_000);
  health.progressed('invoices');
  pass(20_000);
  assert.deepEqual(health.health().reasons, ['orders: has work but made no progress for 40 s']);
  health.forget('orders');
  health.stuck('invoices', 'halted');
  health.working('invoices');
  assert.deepEqual(health.health().reasons, ['invoices: halted']);
});
