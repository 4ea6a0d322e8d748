/** Mistyped names find the one that was meant, and strangers find none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance, nearestName } from './nearest-name.ts';

test('edit distance counts a swap as one edit', () => {
  const cases = [
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', '', 3],
    ['', 'abc', 3],
    ['abc', 'acb', 1],
    ['host', 'hots', 1],
    ['kitten', 'sitting', 3],
  ] as const;
  for (const [left, right, distance] of cases) assert.equal(editDistance(left, right), distance, `${left} ${right}`);
});

test('the nearest name, or none', () => {
  const known = ['DB_HOST', 'DB_PORT', 'LANES'];
  assert.equal(nearestName('DB_HOTS', known), 'DB_HOST');
  assert.equal(nearestName('PORT', known), 'DB_PORT');
  assert.equal(nearestName('BROKER', known), null);
});
