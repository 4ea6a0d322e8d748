/**
 * Open gaps of a source: watermark values below the high mark that nobody has seen committed yet. A missing value belongs to an
 * open transaction, was rolled back, or was never used; only evidence closes it (I1).
 *
 * The gaps are kept in pages of some ranges each, as they are stored: an append writes the pages that it changed, so that its
 * cost does not depend on how many gaps are open.
 * Pure and immutable: every change returns a new set, so that a failed append leaves the old one in place.
 */
import { type OpenPage, pageOf, rangesOf, restorePage } from './gap-page.ts';
import { above, compact, isIn, missingBetween, upTo, without } from './gap-range.ts';
import type { GapChanges, GapPage, PositionRange, StoredGapPage } from './ports.ts';

/** Ranges in one page: what an append writes at most for a gap more. */
const PAGE_RANGES_MAX = 128;

/** A stretch of positions: above the first, up to the second. */
export interface Stretch {
  readonly above: bigint;
  readonly upTo: bigint;
}

/** Of all pages: kept with each set, since a step asks for them several times and pages are many. */
interface Sums {
  readonly ranges: number;
  readonly missing: bigint;
  readonly cost: number;
}

const NO_SUMS: Sums = { ranges: 0, missing: 0n, cost: 0 };

const plus = (sums: Sums, { ranges, missing, cost }: OpenPage): Sums => ({
  ranges: sums.ranges + ranges,
  missing: sums.missing + missing,
  cost: sums.cost + cost,
});
const minus = (sums: Sums, { ranges, missing, cost }: OpenPage): Sums => ({
  ranges: sums.ranges - ranges,
  missing: sums.missing - missing,
  cost: sums.cost - cost,
});

export class GapSet {
  /** Ascending and disjoint. */
  readonly pages: readonly OpenPage[];
  readonly #sums: Sums;

  private constructor(pages: readonly OpenPage[], sums: Sums) {
    this.pages = pages;
    this.#sums = sums;
  }

  static restore(pages: readonly StoredGapPage[], nowMs: number): GapSet {
    const restored = pages.map((page) => restorePage(page, nowMs));
    return new GapSet(restored, restored.reduce(plus, NO_SUMS));
  }

  /** Of ranges that are not stored yet. */
  static of(ranges: readonly PositionRange[], nowMs: number): GapSet {
    return new GapSet([], NO_SUMS).#add(compact(ranges), nowMs);
  }

  get isEmpty(): boolean {
    return this.pages.length === 0;
  }

  /** Ranges, where a comb counts as one. */
  get size(): number {
    return this.#sums.ranges;
  }

  /** What reading all of them costs, in look-ups of the database. */
  get cost(): number {
    return this.#sums.cost;
  }

  get missing(): bigint {
    return this.#sums.missing;
  }

  /** Monotonic time of the oldest sighting; null without gaps. */
  get oldestMs(): number | null {
    return this.isEmpty
      ? null
      : this.pages.reduce((oldest, { openedMs }) => Math.min(oldest, openedMs), Number.POSITIVE_INFINITY);
  }

  ranges(): PositionRange[] {
    return this.pages.flatMap(rangesOf);
  }

  has(position: bigint): boolean {
    const page = this.pages.find(({ first, last }) => first <= position && position <= last);
    return page !== undefined && rangesOf(page).some((range) => isIn(range, position));
  }

  /** Pages with a gap in the stretch. */
  pagesIn({ above: floor, upTo: ceiling }: Stretch): readonly OpenPage[] {
    let low = 0;
    for (let high = this.pages.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((this.pages[middle] as OpenPage).last > floor) high = middle;
      else low = middle + 1;
    }
    let end = low;
    while (end < this.pages.length && (this.pages[end] as OpenPage).first <= ceiling) end += 1;
    return this.pages.slice(low, end);
  }

  /** Opens the gaps between `after` and the ascending positions of a read. */
  open(after: bigint, positions: readonly bigint[], nowMs: number): GapSet {
    const missing = missingBetween(after, positions);
    return missing.length === 0 ? this : this.#add(missing, nowMs);
  }

  /** Takes the ascending positions out of the gaps they lie in. */
  fill(positions: readonly bigint[]): GapSet {
    if (positions.length === 0) return this;
    let next = 0;
    return this.#map((page) => {
      while (next < positions.length && (positions[next] as bigint) < page.first) next += 1;
      const inside: bigint[] = [];
      for (; next < positions.length && (positions[next] as bigint) <= page.last; next += 1) {
        inside.push(positions[next] as bigint);
      }
      if (inside.length === 0) return page;
      return pageOf(
        page.page,
        rangesOf(page).flatMap((range) => without(range, inside)),
        page.openedMs,
      );
    });
  }

  /** Closes what lies in the stretch, except the positions `kept`, ascending. */
  close(stretch: Stretch, kept: readonly bigint[] = []): GapSet {
    return this.#map((page) => {
      if (page.last <= stretch.above || page.first > stretch.upTo) return page;
      if (kept.length === 0 && page.first > stretch.above && page.last <= stretch.upTo) return null;
      const left = rangesOf(page).flatMap((range) => [
        ...upTo(range, stretch.above),
        ...above(range, stretch.above)
          .flatMap((part) => upTo(part, stretch.upTo))
          .flatMap((part) => kept.filter((position) => isIn(part, position)))
          .map((position) => ({ from: position, to: position })),
        ...above(range, stretch.upTo),
      ]);
      return pageOf(page.page, left, page.openedMs);
    });
  }

  /** Only what lies at or below the position. */
  upTo(position: bigint): GapSet {
    return this.#map((page) => {
      if (page.last <= position) return page;
      return pageOf(
        page.page,
        rangesOf(page).flatMap((range) => upTo(range, position)),
        page.openedMs,
      );
    });
  }

  /** What has to be stored when `base` is what is stored. */
  changesSince(base: GapSet): GapChanges {
    const put: GapPage[] = [];
    const drop: bigint[] = [];
    let same = 0;
    while (same < this.pages.length && this.pages[same] === base.pages[same]) same += 1;
    let at = same;
    for (const page of this.pages.slice(same)) {
      while (at < base.pages.length && (base.pages[at] as OpenPage).page < page.page) {
        drop.push((base.pages[at] as OpenPage).page);
        at += 1;
      }
      const before = base.pages[at]?.page === page.page ? base.pages[at] : undefined;
      if (before !== undefined) at += 1;
      if (before !== page) put.push(page);
    }
    for (; at < base.pages.length; at += 1) drop.push((base.pages[at] as OpenPage).page);
    return { put, drop };
  }

  #map(change: (page: OpenPage) => OpenPage | null): GapSet {
    let sums = this.#sums;
    const pages: OpenPage[] = [];
    for (const page of this.pages) {
      const changed = change(page);
      if (changed !== page) sums = minus(sums, page);
      if (changed !== page && changed !== null) sums = plus(sums, changed);
      if (changed !== null) pages.push(changed);
    }
    return sums === this.#sums ? this : new GapSet(pages, sums);
  }

  /** Ranges above all that are there. The last page is filled up first. */
  #add(missing: readonly PositionRange[], nowMs: number): GapSet {
    const tail = this.pages.at(-1);
    const isFull = tail === undefined || tail.ranges >= PAGE_RANGES_MAX;
    const pages = isFull ? [...this.pages] : this.pages.slice(0, -1);
    const ranges = isFull ? missing : compact([...rangesOf(tail), ...missing]);
    let sums = isFull ? this.#sums : minus(this.#sums, tail);
    let key = isFull ? null : tail.page;
    let openedMs = isFull ? nowMs : tail.openedMs;
    for (let at = 0; at < ranges.length; at += PAGE_RANGES_MAX) {
      const some = ranges.slice(at, at + PAGE_RANGES_MAX);
      const page = pageOf(key ?? (some[0] as PositionRange).from, some, openedMs) as OpenPage;
      sums = plus(sums, page);
      pages.push(page);
      key = null;
      openedMs = nowMs;
    }
    return new GapSet(pages, sums);
  }
}
