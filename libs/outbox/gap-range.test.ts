import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  above,
  compact,
  decodeRanges,
  encodeRanges,
  isIn,
  missingBetween,
  missingIn,
  upTo,
  without,
} from './gap-range.ts';
import type { PositionRange } from './ports.ts';

const big = (...numbers: number[]): bigint[] => numbers.map(BigInt);

/** Each position, one by one. */
const spell = (ranges: readonly PositionRange[]): number[] =>
  ranges.flatMap((range) => {
    const found: number[] = [];
    for (let at = range.from; at <= range.to; at += 1n) if (isIn(range, at)) found.push(Number(at));
    return found;
  });

/** Repeats with a seed of its own. */
function numbersOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

describe('ranges of missing positions', () => {
  it('one hole in three, over and over, is one range', () => {
    const seen = Array.from({ length: 1_000 }, (_, index) => BigInt(index * 3 + 1));
    const missing = missingBetween(0n, seen);
    assert.equal(missing.length, 1);
    assert.deepEqual(missing[0], { from: 2n, to: 2_997n, comb: { period: 3n, width: 2n } });
    assert.equal(missingIn(missing[0] as PositionRange), 1_998n);
  });

  it('what was compact stays so when it goes on', () => {
    const all = [1n, 4n, 7n, 10n, 13n, 16n, 19n, 22n];
    const apart = all.slice(1).flatMap((to, at) => missingBetween(all[at] as bigint, [to]));
    assert.equal(compact(compact(apart.slice(0, 5)).concat(apart.slice(5))).length, 1);
  });

  it('few holes, or holes far apart, are no comb', () => {
    assert.equal(missingBetween(0n, big(2, 4, 6)).length, 3);
    assert.equal(missingBetween(0n, big(2, 1_002, 1_003, 2_003)).length, 3);
  });

  it('touching ranges become one', () => {
    const touching = big(5, 6, 7, 8, 9).map((position) => ({ from: position, to: position }));
    assert.deepEqual(compact(touching), [{ from: 5n, to: 9n }]);
  });

  it('cutting, taking out, writing and reading leave exactly the positions (seeds 1 to 300)', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = numbersOf(seed);
      const period = 2 + Math.floor(random() * 6);
      const seen: bigint[] = [];
      for (let at = 1; at < 120; at += random() < 0.8 ? period : 1 + Math.floor(random() * 9)) seen.push(BigInt(at));
      const ranges = missingBetween(0n, seen);
      const last = Number(seen.at(-1));
      const all = Array.from({ length: last }, (_, index) => index + 1).filter((at) => !seen.includes(BigInt(at)));
      assert.deepEqual(spell(ranges), all, `seed ${seed}`);
      const cut = BigInt(Math.floor(random() * last));
      const higher = ranges.flatMap((range) => above(range, cut));
      const lower = ranges.flatMap((range) => upTo(range, cut));
      assert.deepEqual(
        spell(higher),
        all.filter((at) => BigInt(at) > cut),
        `seed ${seed}, above ${cut}`,
      );
      assert.deepEqual(
        spell(lower),
        all.filter((at) => BigInt(at) <= cut),
        `seed ${seed}, up to ${cut}`,
      );
      const out = all.filter(() => random() < 0.3).map(BigInt);
      const left = ranges.flatMap((range) => without(range, out));
      assert.deepEqual(
        spell(left),
        all.filter((at) => !out.includes(BigInt(at))),
        `seed ${seed}, without ${out}`,
      );
      assert.deepEqual(spell(compact(left)), spell(left), `seed ${seed}, compact`);
      const text = encodeRanges(3n, compact(left));
      if (left.length > 0 && !text.includes('-'))
        assert.deepEqual(decodeRanges(3n, text), compact(left), `seed ${seed}`);
    }
  });

  it('what is no list of ranges is not read', () => {
    for (const text of ['', 'x', '1-2', '1+2/2x9', '1+2/3x1', '1+2/3', '1 ', '1;2']) {
      assert.equal(decodeRanges(0n, text), null, text);
    }
  });
});
