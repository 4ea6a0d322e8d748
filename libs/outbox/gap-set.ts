/**
 * Open gaps of a source: ranges of watermark values below the high mark that nobody has seen committed yet.
 * A missing value is an open transaction, a rollback, or a value never used; only evidence closes it (I1).
 * Pure and immutable: every change returns a new set, so that a failed append leaves the old one in place.
 */
import type { PositionRange } from './ports.ts';

export interface Gap extends PositionRange {
  /** Monotonic time of the first sighting in this term. */
  readonly seenAtMs: number;
  /** Monotonic time of the first of an unbroken row of empty probes, or null. */
  readonly emptySinceMs: number | null;
  /** Monotonic time of the last of them, or null. */
  readonly emptyAtMs: number | null;
  /** Not probed before this time. */
  readonly probeAtMs: number;
  /** How often in a row the probe found a lock, for the pace of probing. */
  readonly lockedProbes: number;
}

export class GapSet {
  /** Ascending and disjoint. */
  readonly gaps: readonly Gap[];

  private constructor(gaps: readonly Gap[]) {
    this.gaps = gaps;
  }

  static restore(ranges: readonly PositionRange[], nowMs: number): GapSet {
    return new GapSet(ranges.map((range) => freshGap(range.from, range.to, nowMs)));
  }

  get size(): number {
    return this.gaps.length;
  }

  ranges(): PositionRange[] {
    return this.gaps.map(({ from, to }) => ({ from, to }));
  }

  /** Opens the gaps between `after` and the ascending positions of a read. */
  open(after: bigint, positions: readonly bigint[], nowMs: number): GapSet {
    let previous = after;
    const opened: Gap[] = [];
    for (const position of positions) {
      if (position > previous + 1n) opened.push(freshGap(previous + 1n, position - 1n, nowMs));
      previous = position;
    }
    return opened.length === 0 ? this : new GapSet([...this.gaps, ...opened]);
  }

  /** Takes the ascending positions out of the gaps they lie in; what is left of a gap starts its evidence anew. */
  fill(positions: readonly bigint[], nowMs: number): GapSet {
    if (positions.length === 0) return this;
    const left: Gap[] = [];
    let next = 0;
    for (const gap of this.gaps) {
      while (next < positions.length && (positions[next] as bigint) < gap.from) next += 1;
      let from = gap.from;
      let touched = false;
      while (next < positions.length && (positions[next] as bigint) <= gap.to) {
        const position = positions[next] as bigint;
        if (position > from)
          left.push({
            ...freshGap(from, position - 1n, nowMs),
            seenAtMs: gap.seenAtMs,
          });
        from = position + 1n;
        touched = true;
        next += 1;
      }
      if (!touched) left.push(gap);
      else if (from <= gap.to) left.push({ ...freshGap(from, gap.to, nowMs), seenAtMs: gap.seenAtMs });
    }
    return new GapSet(left);
  }

  /** Only what lies at or below the position. */
  upTo(position: bigint): GapSet {
    const below = this.gaps.filter((gap) => gap.from <= position);
    return new GapSet(below.map((gap) => (gap.to <= position ? gap : { ...gap, to: position })));
  }

  has(position: bigint): boolean {
    return this.gaps.some((gap) => gap.from <= position && position <= gap.to);
  }

  /** Gaps whose next probe is due, longest waiting first, at most `countMax`. */
  due(nowMs: number, countMax: number): Gap[] {
    return this.gaps
      .filter((gap) => gap.probeAtMs <= nowMs)
      .sort((a, b) => a.probeAtMs - b.probeAtMs)
      .slice(0, countMax);
  }

  /** With these gaps replaced, or taken out where the replacement is null. */
  change(changes: ReadonlyMap<Gap, Gap | null>): GapSet {
    if (changes.size === 0) return this;
    return new GapSet(
      this.gaps.flatMap((gap) => {
        const changed = changes.get(gap);
        return changed === undefined ? [gap] : changed === null ? [] : [changed];
      }),
    );
  }
}

function freshGap(from: bigint, to: bigint, nowMs: number): Gap {
  return {
    from,
    to,
    seenAtMs: nowMs,
    emptySinceMs: null,
    emptyAtMs: null,
    probeAtMs: nowMs,
    lockedProbes: 0,
  };
}
