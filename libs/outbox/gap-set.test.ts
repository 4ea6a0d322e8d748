import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GapSet } from './gap-set.ts';

const ranges = (set: GapSet): string =>
  set
    .ranges()
    .map(({ from, to }) => `${from}-${to}`)
    .join(' ');
const big = (...numbers: number[]): bigint[] => numbers.map(BigInt);

describe('GapSet', () => {
  it('opens a gap for every hole between the high mark and the rows read', () => {
    const set = GapSet.restore([], 0).open(4n, big(5, 7, 8, 12), 0);
    assert.equal(ranges(set), '6-6 9-11');
  });

  it('opens nothing for rows that follow without a hole, and stays the same object', () => {
    const set = GapSet.restore([], 0);
    assert.equal(set.open(4n, big(5, 6, 7), 0), set);
  });

  for (const [name, filled, left] of [
    ['the first of a range', [10], '11-14'],
    ['the last of a range', [14], '10-13'],
    ['the middle of a range', [12], '10-11 13-14'],
    ['the whole range', [10, 11, 12, 13, 14], ''],
    ['rows of two ranges', [11, 21], '10-10 12-14 20-20 22-22'],
    ['a row outside of every range', [17], '10-14 20-22'],
  ] as const) {
    it(`takes out ${name}`, () => {
      const two = name.includes('ranges') || name.includes('outside');
      const set = GapSet.restore(
        two
          ? [
              { from: 10n, to: 14n },
              { from: 20n, to: 22n },
            ]
          : [{ from: 10n, to: 14n }],
        0,
      );
      assert.equal(ranges(set.fill(big(...filled), 1)), left);
    });
  }

  it('starts the evidence of what is left of a gap anew, and leaves untouched gaps their evidence', () => {
    const restored = GapSet.restore(
      [
        { from: 1n, to: 3n },
        { from: 5n, to: 5n },
      ],
      0,
    );
    const [first, second] = restored.gaps;
    assert.ok(first && second);
    const evidence = restored
      .change(new Map([[first, { ...first, emptySinceMs: 7 }]]))
      .change(new Map([[second, { ...second, emptySinceMs: 8 }]]));
    const filled = evidence.fill(big(2), 9);
    assert.deepEqual(
      filled.gaps.map((gap) => gap.emptySinceMs),
      [null, null, 8],
    );
  });

  it('survives 2^64 - 1', () => {
    const top = 2n ** 64n - 1n;
    assert.equal(ranges(GapSet.restore([], 0).open(top - 3n, [top], 0)), `${top - 2n}-${top - 1n}`);
  });

  it('gives due gaps longest waiting first, and no more than asked', () => {
    let set = GapSet.restore(
      [
        { from: 1n, to: 1n },
        { from: 3n, to: 3n },
        { from: 5n, to: 5n },
      ],
      0,
    );
    const [a, b, c] = set.gaps;
    assert.ok(a && b && c);
    set = set.change(
      new Map([
        [a, { ...a, probeAtMs: 30 }],
        [b, { ...b, probeAtMs: 10 }],
        [c, { ...c, probeAtMs: 20 }],
      ]),
    );
    assert.deepEqual(
      set.due(25, 10).map((gap) => gap.from),
      [3n, 5n],
    );
    assert.deepEqual(
      set.due(40, 1).map((gap) => gap.from),
      [3n],
    );
  });
});
