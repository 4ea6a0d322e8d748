/** The oracles and tools fail when they should. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertContiguousIds, assertNoDuplicates, assertOrderPerKey } from './oracles.ts';
import { seededRandom } from './seeded-random.ts';
import { testEnvironment } from './test-environment.ts';
import { findCycles } from './tidy/find-cycles.ts';
import { uniqueName } from './unique-name.ts';

describe('oracles', () => {
  test('contiguous ids: complete in any order, one missing, one twice, one too many', () => {
    assertContiguousIds([3, 1, 2n], 1, 3);
    assert.throws(() => assertContiguousIds([1, 3], 1, 3), /1 of 3 ids missing: 2/);
    assert.throws(() => assertContiguousIds([1, 2, 2n, 3], 1, 3), /1 of 4 ids duplicated: 2/);
    assert.throws(() => assertContiguousIds([1, 2, 3, 9], 1, 3), /1 ids outside the range: 9/);
  });

  test('duplicates are counted and shown, the first few of them', () => {
    assertNoDuplicates(['a', 'b']);
    const many = Array.from({ length: 20 }, (_, index) => index % 10);
    assert.throws(() => assertNoDuplicates(many, 'rows'), /10 of 20 rows duplicated: 0, 1, 2, 3, 4, \.\./);
  });

  test('order counts within a key only, and rows without a key have none', () => {
    const check = (rows: [string | null, number][]) =>
      assertOrderPerKey(
        rows,
        ([key]) => key,
        ([, sequence]) => sequence,
      );
    check([
      ['a', 5],
      ['b', 1],
      ['a', 6],
      [null, 9],
      [null, 2],
    ]);
    assert.throws(() => check([['a', 5], ['a', 4]]), /1 of 2 out of order: a: 4 after 5/); // biome-ignore format: a pair
  });
});

describe('tools', () => {
  test('the same seed gives the same chance, another one another', () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed));
    assert.deepEqual(draw(42), draw(42));
    assert.notDeepEqual(draw(42), draw(43));
    const many = Array.from({ length: 10_000 }, seededRandom(1));
    const mean = many.reduce((sum, value) => sum + value, 0) / many.length;
    assert.ok(Math.abs(mean - 0.5) < 0.02 && many.every((value) => value >= 0 && value < 1), `mean ${mean}`);
  });

  test('names are unique and fit an identifier', () => {
    assert.match(uniqueName('krs'), /^krs_[0-9a-f]{10}$/);
    assertNoDuplicates(Array.from({ length: 1_000 }, () => uniqueName('x')));
  });

  test('a missing variable is named in one line', () => {
    const env = { KRS_TEST_DB_HOST: 'h', KRS_TEST_DB_PORT: '1', KRS_TEST_REDIS_URL: 'redis://h' };
    assert.throws(() => testEnvironment(env), /^Error: server tests need KRS_TEST_KAFKA: [^\n]*$/);
    assert.deepEqual(testEnvironment({ ...env, KRS_TEST_KAFKA: 'a:1,b:2' }).kafkaBrokers, ['a:1', 'b:2']);
  });

  test('cycles are found, crossings are none', () => {
    const graph = new Map([
      ['a', ['b', 'c']],
      ['b', ['d']],
      ['c', ['d']],
      ['d', []],
    ]);
    assert.deepEqual(findCycles(graph), []);
    assert.deepEqual(findCycles(graph.set('d', ['b'])), [['b', 'd', 'b']]);
  });
});
