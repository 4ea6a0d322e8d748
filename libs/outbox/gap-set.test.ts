import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GapSet } from './gap-set.ts';
import type { GapPage } from './ports.ts';

const shown = (set: GapSet): string =>
  set
    .ranges()
    .map(({ from, to, comb }) => `${from}-${to}${comb === undefined ? '' : `/${comb.period}x${comb.width}`}`)
    .join(' ');
const big = (...numbers: number[]): bigint[] => numbers.map(BigInt);
const NONE = GapSet.restore([], 0);
const apart = (count: number, step: (index: number) => number): bigint[] => {
  let at = 0;
  return Array.from({ length: count }, (_, index) => {
    at += step(index);
    return BigInt(at);
  });
};
/** Holes that fit into no comb. */
const uneven = (count: number): GapSet =>
  NONE.open(
    0n,
    apart(count, (index) => 2 + (index % 7) + (index % 3)),
    0,
  );

/** What is stored when changes are written, as a store would. */
const store = (stored: ReadonlyMap<bigint, GapPage>, set: GapSet, base: GapSet): Map<bigint, GapPage> => {
  const { put, drop } = set.changesSince(base);
  const next = new Map(stored);
  for (const page of drop) next.delete(page);
  for (const page of put) next.set(page.page, page);
  return next;
};

const restored = (stored: ReadonlyMap<bigint, GapPage>): GapSet =>
  GapSet.restore(
    [...stored.values()].sort((a, b) => (a.page < b.page ? -1 : 1)).map((page) => ({ ...page, ageMs: 0 })),
    0,
  );

describe('GapSet', () => {
  it('opens a gap for every hole between the high mark and the rows read', () => {
    assert.equal(shown(NONE.open(4n, big(5, 7, 8, 12), 0)), '6-6 9-11');
  });

  it('opens nothing for rows that follow without a hole, and stays the same object', () => {
    assert.equal(NONE.open(4n, big(5, 6, 7), 0), NONE);
  });

  for (const [name, filled, left] of [
    ['the first of a range', [10], '11-14 20-22'],
    ['the last of a range', [14], '10-13 20-22'],
    ['the middle of a range', [12], '10-11 13-14 20-22'],
    ['the whole range', [10, 11, 12, 13, 14], '20-22'],
    ['rows of two ranges', [11, 21], '10-10 12-14 20-20 22-22'],
    ['a row outside of every range', [17], '10-14 20-22'],
  ] as const) {
    it(`takes out ${name}`, () => {
      const set = NONE.open(9n, big(15, 16, 17, 18, 19, 23), 0);
      assert.equal(shown(set.fill(big(...filled))), left);
    });
  }

  it('closes a stretch, but for what is kept', () => {
    const set = NONE.open(0n, big(5, 10, 20), 0);
    assert.equal(shown(set.close({ above: 2n, upTo: 12n })), '1-2 13-19');
    assert.equal(shown(set.close({ above: -1n, upTo: 12n }, big(3, 11))), '3-3 11-11 13-19');
    assert.equal(set.close({ above: 19n, upTo: 99n }), set);
    assert.ok(set.close({ above: -1n, upTo: 19n }).isEmpty);
  });

  it('knows its positions, and forgets those above a mark', () => {
    const set = NONE.open(0n, big(5, 10), 0);
    assert.deepEqual(
      big(1, 4, 5, 7).map((position) => set.has(position)),
      [true, true, false, true],
    );
    assert.equal(shown(set.upTo(7n)), '1-4 6-7');
  });

  it('a million holes are some thousand pages, and an append changes few of them', () => {
    const set = uneven(1_000_000);
    assert.ok(set.pages.length < 8_000, String(set.pages.length));
    const position = set.pages.at(-1)?.last as bigint;
    const more = set.open(position + 1n, [position + 3n], 0);
    assert.ok(more.changesSince(set).put.length === 1 && more.changesSince(set).drop.length === 0);
    const filled = set.fill([set.pages[4_000]?.first as bigint]);
    assert.equal(filled.changesSince(set).put.length, 1);
    const closed = set.close({ above: -1n, upTo: set.pages[10]?.last as bigint });
    assert.equal(closed.changesSince(set).drop.length, 11);
  });

  it('steps of 3 stay one range however many there are', () => {
    let set = NONE;
    for (let batch = 0; batch < 200; batch += 1) {
      const first = BigInt(batch * 300);
      set = set.open(
        first,
        Array.from({ length: 100 }, (_, index) => first + BigInt(index + 1) * 3n),
        0,
      );
    }
    assert.equal(set.size, 1);
    assert.equal(set.missing, 40_000n);
  });

  it('what is stored is the set, whatever was done to it', () => {
    let set = uneven(2_000);
    let stored = store(new Map(), set, NONE);
    const steps: ((from: GapSet) => GapSet)[] = [
      (from) => from.fill(from.pages.flatMap(({ first, last }) => [first, last])),
      (from) =>
        from.close({ above: 500n, upTo: 900n }, [from.pagesIn({ above: 600n, upTo: 700n })[0]?.first as bigint]),
      (from) => from.open(20_000n, big(20_010, 20_020), 7),
      (from) => from.close({ above: -1n, upTo: 300n }),
      (from) => from.upTo(15_000n),
    ];
    for (const step of steps) {
      const next = step(set);
      stored = store(stored, next, set);
      set = next;
      assert.equal(shown(restored(stored)), shown(set));
      assert.equal(restored(stored).missing, set.missing);
    }
  });

  it('a page that nobody wrote is not believed', () => {
    const broken = { page: 1n, first: 1n, last: 2n, missing: 2n, ranges: 1, detail: '?', ageMs: 0 };
    assert.throws(() => GapSet.restore([broken], 0).ranges(), { code: 'INVARIANT_BROKEN' });
  });
});
