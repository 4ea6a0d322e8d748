/** Is a position in one of some ranges? Asked for neighbours one after the other, so the search starts where the last one ended. */

export interface Range {
  readonly from: bigint;
  readonly to: bigint;
  /** Present: only the positions with (position - from) % period < width. */
  readonly comb?: { readonly period: bigint; readonly width: bigint };
}

export class PositionRanges {
  readonly #ranges: readonly Range[];
  #at = 0;

  /** Inclusive, ascending and disjoint. */
  constructor(ranges: readonly Range[]) {
    this.#ranges = ranges;
  }

  has(position: bigint): boolean {
    const ranges = this.#ranges;
    if (ranges.length === 0) return false;
    while (this.#at > 0 && position < (ranges[this.#at] as Range).from) this.#at -= 1;
    while (this.#at < ranges.length - 1 && position > (ranges[this.#at] as Range).to) this.#at += 1;
    const range = ranges[this.#at] as Range;
    const { from, to, comb } = range;
    return position >= from && position <= to && (comb === undefined || (position - from) % comb.period < comb.width);
  }
}
