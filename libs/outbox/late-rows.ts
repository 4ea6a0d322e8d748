/**
 * Reads the rows that have committed in open gaps. A page of few gaps among many rows is asked for gap by gap; where gaps and rows
 * alternate, the database walks the rows and picks those in gaps, and only these are read whole.
 */

import { MASK_POSITIONS_MAX, maskOf } from './gap-mask.ts';
import { type OpenPage, rangesOf } from './gap-page.ts';
import { above, upTo } from './gap-range.ts';
import type { Stretch } from './gap-set.ts';
import type { BatchLimits, PositionRange, SourceBatch, SourceReader, SourceRow, SourceSnapshot } from './ports.ts';
import { bytesOf } from './split-batch.ts';

/** Of pages read together. */
const GROUP_COST_MAX = 4_000;
const GROUP_PAGES_MAX = 1_024;

/** Committed rows in the gaps of the pages and the stretch, ascending, within the limits. */
export async function readLate(
  snapshot: SourceSnapshot,
  pages: readonly OpenPage[],
  stretch: Stretch,
  limits: BatchLimits,
): Promise<SourceBatch> {
  const rows: SourceRow[] = [];
  let bytesLeft = limits.bytesMax;
  for (const group of groupsOf(pages)) {
    if (rows.length >= limits.rowsMax || bytesLeft <= 0) return { rows, full: true };
    const ranges = within(await lookupsOf(snapshot, group), stretch);
    if (ranges.length === 0) continue;
    const batch = await snapshot.readRanges(ranges, { rowsMax: limits.rowsMax - rows.length, bytesMax: bytesLeft });
    for (const row of batch.rows) {
      rows.push(row);
      bytesLeft -= bytesOf(row);
    }
    if (batch.full) return { rows, full: true };
  }
  return { rows, full: false };
}

/** A page may lie across the end of a stretch. */
const within = (ranges: readonly PositionRange[], { above: floor, upTo: ceiling }: Stretch): PositionRange[] =>
  ranges.flatMap((range) => above(range, floor).flatMap((part) => upTo(part, ceiling)));

/** The first batch is whole; as much of the second as the limits leave room for. */
export function joinBatches(first: SourceBatch, second: SourceBatch, limits: BatchLimits): SourceBatch {
  const rows = [...first.rows];
  let bytes = rows.reduce((sum, row) => sum + bytesOf(row), 0);
  for (const row of second.rows) {
    bytes += bytesOf(row);
    if (rows.length > 0 && (rows.length >= limits.rowsMax || bytes > limits.bytesMax)) return { rows, full: true };
    rows.push(row);
  }
  return { rows, full: second.full };
}

/** Positions in the gaps of the pages that have a row, committed or not, ascending, at most `rowsMax`. */
export async function findPresent(
  reader: SourceReader,
  pages: readonly OpenPage[],
  rowsMax: number,
): Promise<readonly bigint[]> {
  const found: bigint[] = [];
  for (const group of groupsOf(pages)) {
    found.push(...((await reader.presentIn?.(group.flatMap(rangesOf), rowsMax - found.length)) ?? []));
    if (found.length >= rowsMax) break;
  }
  return found;
}

function* groupsOf(pages: readonly OpenPage[]): Generator<readonly OpenPage[], void, void> {
  let group: OpenPage[] = [];
  let cost = 0;
  for (const page of pages) {
    if (group.length >= GROUP_PAGES_MAX || (group.length > 0 && cost + page.cost > GROUP_COST_MAX)) {
      yield group;
      group = [];
      cost = 0;
    }
    group.push(page);
    cost += page.cost;
  }
  if (group.length > 0) yield group;
}

/** Ranges to read whole: the gaps themselves, or what a scan has found in them. */
async function lookupsOf(snapshot: SourceSnapshot, pages: readonly OpenPage[]): Promise<readonly PositionRange[]> {
  const ranges: PositionRange[] = [];
  let scanned: OpenPage[] = [];
  for (const page of pages) {
    if (page.isScanned) {
      scanned.push(page);
      continue;
    }
    ranges.push(...(await scan(snapshot, scanned)), ...rangesOf(page));
    scanned = [];
  }
  return [...ranges, ...(await scan(snapshot, scanned))];
}

async function scan(snapshot: SourceSnapshot, pages: readonly OpenPage[]): Promise<PositionRange[]> {
  const found: PositionRange[] = [];
  for (const group of maskGroupsOf(pages)) {
    for (const position of await snapshot.committedOf(maskOf(group))) found.push({ from: position, to: position });
  }
  return found;
}

function* maskGroupsOf(pages: readonly OpenPage[]): Generator<readonly OpenPage[], void, void> {
  let start = 0;
  for (const [at, { last }] of pages.entries()) {
    if (last - (pages[start] as OpenPage).first < BigInt(MASK_POSITIONS_MAX)) continue;
    yield pages.slice(start, at);
    start = at;
  }
  if (start < pages.length) yield pages.slice(start);
}
