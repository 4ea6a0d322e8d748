/** When a position that is out of range is given up for the beginning of the log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BeyondEnd } from './beyond-end.ts';

test('before the log begins: at once', () => {
  assert.equal(new BeyondEnd().isLost('t/0', 5, 6, 0), true);
});

test('behind its end: only when brokers have said so for 15 s', () => {
  const beyond = new BeyondEnd();
  assert.equal(beyond.isLost('t/0', 5, 0, 0), false);
  assert.equal(beyond.isLost('t/0', 5, 0, 14_999), false);
  assert.equal(beyond.isLost('t/1', 5, 0, 15_000), false);
  assert.equal(beyond.isLost('t/0', 5, 0, 15_000), true);
  assert.equal(beyond.isLost('t/0', 5, 0, 15_001), false);
});

test('an answer in range, or another position, begins the time anew', () => {
  const beyond = new BeyondEnd();
  assert.equal(beyond.isLost('t/0', 5, 0, 0), false);
  beyond.forget('t/0');
  assert.equal(beyond.isLost('t/0', 5, 0, 15_000), false);
  assert.equal(beyond.isLost('t/0', 6, 0, 30_000), false);
  assert.equal(beyond.isLost('t/0', 6, 0, 44_999), false);
  assert.equal(beyond.isLost('t/0', 6, 0, 45_000), true);
});
