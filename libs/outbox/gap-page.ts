/**
 * A page of open gaps: some ranges, as they are stored in one row. A page is decoded when it is needed, so that a million gaps stay
 * small.
 */
import { RelayError } from '#runtime';
import { MASK_POSITIONS_MAX } from './gap-mask.ts';
import { decodeRanges, encodeRanges, missingIn } from './gap-range.ts';
import type { GapPage, PositionRange, StoredGapPage } from './ports.ts';

/** Rows that the server walks in the time of one look-up, without sending them. */
const ROWS_PER_LOOKUP = 50;

export interface OpenPage extends GapPage {
  /** Monotonic time of the first sighting of any gap in it. */
  readonly openedMs: number;
  /** What reading its gaps costs, in look-ups of the database. */
  readonly cost: number;
  /** A walk over all rows between its first and last gap is cheaper than a look-up of each gap. */
  readonly isScanned: boolean;
}

/** Throws INVARIANT_BROKEN when the page is not what this program writes: what it hides could be rows. */
export function rangesOf({ page, detail }: GapPage): PositionRange[] {
  const ranges = decodeRanges(page, detail);
  if (ranges === null) throw new RelayError('INVARIANT_BROKEN', `gap page ${page} cannot be read`);
  return ranges;
}

/** Null without ranges. */
export function pageOf(page: bigint, ranges: readonly PositionRange[], openedMs: number): OpenPage | null {
  const [first, last] = [ranges[0], ranges.at(-1)];
  if (first === undefined || last === undefined) return null;
  const missing = ranges.reduce((sum, range) => sum + missingIn(range), 0n);
  const detail = encodeRanges(page, ranges);
  return opened({ page, first: first.from, last: last.to, missing, ranges: ranges.length, detail }, openedMs);
}

export const restorePage = ({ ageMs, ...page }: StoredGapPage, nowMs: number): OpenPage => opened(page, nowMs - ageMs);

function opened(page: GapPage, openedMs: number): OpenPage {
  const span = page.last - page.first + 1n;
  const walk = Number(span - page.missing) / ROWS_PER_LOOKUP;
  const isScanned = page.last - page.page < BigInt(MASK_POSITIONS_MAX) && page.ranges > 1 && walk < page.ranges;
  // The rows between the teeth of a comb are walked in any case.
  const isWalked = isScanned || page.detail.includes('/');
  return { ...page, openedMs, cost: (isScanned ? 1 : page.ranges) + (isWalked ? walk : 0), isScanned };
}
