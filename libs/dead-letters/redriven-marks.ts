/**
 * Marks of a dead-letter topic: records that list the offsets of their partition which were sent again. Anybody may write to the
 * topic: what is no mark of ours marks nothing, and none marks what lies behind it. Pure.
 */
import { PositionRanges, type Range } from '#verification';
import { MARK_KEY } from './dead-letter.ts';

/** Offsets of Kafka have 19 digits at most. */
const RANGE = /^(\d{1,19})(?:-(\d{1,19}))?$/;

/** A letter of a stranger may have the header of a mark; it stays a letter. */
export const isMark = (key: Buffer | null, hasValue: boolean): boolean => !hasValue && key?.equals(MARK_KEY) === true;

/** Offsets as a mark lists them: `3-5,9`. */
export function rangesText(offsets: readonly bigint[]): string {
  const ranges: { first: bigint; last: bigint }[] = [];
  for (const offset of offsets.toSorted((a, b) => (a < b ? -1 : 1))) {
    const open = ranges.at(-1);
    if (open?.last === offset - 1n) open.last = offset;
    else ranges.push({ first: offset, last: offset });
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

function parse(text: string, markOffset: bigint): Range[] {
  const ranges: Range[] = [];
  for (const each of text.split(',')) {
    const [, first, last = first] = RANGE.exec(each) ?? [];
    if (first === undefined || last === undefined) continue;
    const [from, to] = [BigInt(first), BigInt(last)];
    // A mark is written behind what it marks.
    if (from <= to && to < markOffset) ranges.push({ from, to });
  }
  return ranges;
}

function merged(ranges: readonly Range[]): Range[] {
  const all: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of ranges.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    const open = all.at(-1);
    if (open === undefined || from > open.to + 1n) all.push({ from, to });
    else if (to > open.to) open.to = to;
  }
  return all;
}

/** Collect first, ask afterwards. Memory: that of the ranges, however wide they are. */
export class RedrivenMarks {
  readonly #collected = new Map<number, Range[]>();
  readonly #ranges = new Map<number, PositionRanges>();

  add(partition: number, text: string, markOffset: bigint): void {
    const ranges = this.#collected.get(partition) ?? [];
    this.#collected.set(partition, ranges);
    for (const range of parse(text, markOffset)) ranges.push(range);
  }

  has(partition: number, offset: bigint): boolean {
    const known = this.#ranges.get(partition) ?? new PositionRanges(merged(this.#collected.get(partition) ?? []));
    this.#ranges.set(partition, known);
    return known.has(offset);
  }
}
