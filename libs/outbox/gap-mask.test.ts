/** A mask says the same as the ranges of its pages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MASK_POSITIONS_MAX, maskOf } from './gap-mask.ts';
import { isIn } from './gap-range.ts';
import { GapSet } from './gap-set.ts';

test('I1: each missing position has its bit, and no other', () => {
  const ids = Array.from({ length: 3_000 }, (_, at) => BigInt(at * 3 + ((at * at) % 7 === 1 ? 1 : 0)) + 10n ** 17n);
  const odd = ids.filter((_, at) => at % 11 !== 3);
  const set = GapSet.of([], 0)
    .open(10n ** 17n - 5n, odd, 0)
    .fill([odd[0] as bigint]);
  assert.ok(set.pages.length > 3);
  const { first, last, bits } = maskOf(set.pages);
  const ranges = set.ranges();
  for (let position = first; position <= last; position += 1n) {
    const at = Number(position - first);
    const isSet = (((bits[at >> 3] as number) >> (at & 7)) & 1) === 1;
    assert.equal(
      isSet,
      ranges.some((range) => isIn(range, position)),
      `${position}`,
    );
  }
});

test('a page that is not what this program writes is refused', () => {
  const page = { page: 10n, first: 10n, last: 20n, missing: 2n, ranges: 2 };
  assert.deepEqual([...maskOf([{ ...page, detail: '0 10' }]).bits], [1, 4]);
  for (const detail of [
    '',
    '0 ',
    '0  10',
    '0 11',
    '0 9999999',
    '0',
    '0+3',
    '0+1/2',
    'x',
    '0 10 5',
    `0+${MASK_POSITIONS_MAX}`,
  ]) {
    assert.throws(() => maskOf([{ ...page, detail }]), { code: 'INVARIANT_BROKEN' }, detail);
  }
});
