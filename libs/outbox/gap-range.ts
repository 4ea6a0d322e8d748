/**
 * Missing positions as ranges. Where rows and holes alternate evenly (auto_increment_increment of 3, ids 20 apart), one range
 * with a comb stands for all of the holes, so that a million of them cost as much as one.
 */
import type { PositionRange } from './ports.ts';

/** Fewer teeth are kept as ranges of their own: a look-up each is cheaper than a scan. */
const COMB_TEETH_MIN = 4n;
/** Positions between two teeth at most: a scan of a comb walks the rows there. */
const COMB_STEP_MAX = 256n;

/** Math.min takes no bigint. */
export function lowerOf(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** Where the last tooth begins. */
const lastTooth = ({ from, to, comb }: PositionRange): bigint => (comb === undefined ? from : to - comb.width + 1n);

const widthOf = ({ from, to, comb }: PositionRange): bigint => comb?.width ?? to - from + 1n;

const teethOf = (range: PositionRange): bigint =>
  range.comb === undefined ? 1n : (lastTooth(range) - range.from) / range.comb.period + 1n;

/** How many positions are missing in it. */
export const missingIn = (range: PositionRange): bigint => widthOf(range) * teethOf(range);

export const isIn = ({ from, to, comb }: PositionRange, position: bigint): boolean =>
  position >= from && position <= to && (comb === undefined || (position - from) % comb.period < comb.width);

/** One tooth is a plain range. */
const comb = (from: bigint, to: bigint, { period, width }: { period: bigint; width: bigint }): PositionRange =>
  from + width > to ? { from, to } : { from, to, comb: { period, width } };

/** What of the range lies above the position. */
export function above(range: PositionRange, position: bigint): PositionRange[] {
  const { from, to } = range;
  if (position < from) return [range];
  if (position >= to) return [];
  if (range.comb === undefined) return [{ from: position + 1n, to }];
  const { period, width } = range.comb;
  const tooth = position - ((position - from) % period);
  const parts: PositionRange[] = [];
  if (position < tooth + width - 1n) parts.push({ from: position + 1n, to: tooth + width - 1n });
  if (tooth + period <= to) parts.push(comb(tooth + period, to, range.comb));
  return parts;
}

/** What of the range lies at or below the position. */
export function upTo(range: PositionRange, position: bigint): PositionRange[] {
  const { from, to } = range;
  if (position >= to) return [range];
  if (position < from) return [];
  if (range.comb === undefined) return [{ from, to: position }];
  const { period, width } = range.comb;
  const tooth = position - ((position - from) % period);
  if (position >= tooth + width - 1n) return [comb(from, tooth + width - 1n, range.comb)];
  const parts: PositionRange[] = tooth > from ? [comb(from, tooth - period + width - 1n, range.comb)] : [];
  return [...parts, { from: tooth, to: position }];
}

/** What is left of the range without the ascending positions. */
export function without(range: PositionRange, positions: readonly bigint[]): PositionRange[] {
  const left: PositionRange[] = [];
  let rest: PositionRange[] = [range];
  for (const position of positions) {
    if (!isIn(range, position)) continue;
    const next: PositionRange[] = [];
    for (const part of rest) {
      left.push(...upTo(part, position - 1n));
      next.push(...above(part, position));
    }
    rest = next;
  }
  return [...left, ...rest];
}

/** The ranges missing between `after` and the ascending positions of a read. */
export function missingBetween(after: bigint, positions: readonly bigint[]): PositionRange[] {
  const missing: PositionRange[] = [];
  let previous = after;
  for (const position of positions) {
    if (position <= previous) continue;
    if (position > previous + 1n) missing.push({ from: previous + 1n, to: position - 1n });
    previous = position;
  }
  return compact(missing);
}

/** Joins ascending ranges that repeat evenly into combs. */
export function compact(ranges: readonly PositionRange[]): PositionRange[] {
  const joined: PositionRange[] = [];
  let run: PositionRange[] = [];
  let period: bigint | null = null;
  const flush = () => {
    const [first, last] = [run[0], run.at(-1)];
    if (first === undefined || last === undefined) return;
    const width = widthOf(first);
    const teeth = run.reduce((sum, range) => sum + teethOf(range), 0n);
    if (period === null || run.length === 1 || teeth < COMB_TEETH_MIN) joined.push(...run);
    else joined.push({ from: first.from, to: last.to, comb: { period, width } });
    run = [];
    period = null;
  };
  for (const range of joinTouching(ranges)) {
    const last = run.at(-1);
    if (last !== undefined) {
      const step = range.from - lastTooth(last);
      const fits =
        widthOf(range) === widthOf(last) &&
        step > widthOf(last) &&
        step <= COMB_STEP_MAX &&
        (period ?? step) === step &&
        (range.comb?.period ?? step) === step;
      if (fits) period = step;
      else flush();
    }
    run.push(range);
    if (range.comb !== undefined) period = range.comb.period;
  }
  flush();
  return joined;
}

/** What a comb was cut into may touch. */
function joinTouching(ranges: readonly PositionRange[]): PositionRange[] {
  const joined: PositionRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    const touches = last !== undefined && last.to + 1n === range.from;
    if (touches && last.comb === undefined && range.comb === undefined) {
      joined[joined.length - 1] = { from: last.from, to: range.to };
    } else joined.push(range);
  }
  return joined;
}

const LISTED = /^(\d+)(?:\+(\d+)(?:\/(\d+)x(\d+))?)?$/;

/** `5` is one position, `5+3` three, `5+2/3x100` a hundred times two, 3 apart; numbers count from `base`. */
export function encodeRanges(base: bigint, ranges: readonly PositionRange[]): string {
  return ranges
    .map((range) => {
      const width = widthOf(range);
      const plain = width === 1n && range.comb === undefined ? `${range.from - base}` : `${range.from - base}+${width}`;
      return range.comb === undefined ? plain : `${plain}/${range.comb.period}x${teethOf(range)}`;
    })
    .join(' ');
}

/** Null: not what `encodeRanges` writes. */
export function decodeRanges(base: bigint, text: string): PositionRange[] | null {
  const ranges: PositionRange[] = [];
  for (const part of text.split(' ')) {
    const match = LISTED.exec(part);
    if (match === null) return null;
    const from = base + BigInt(match[1] as string);
    const width = BigInt(match[2] ?? 1);
    if (match[3] === undefined) {
      ranges.push({ from, to: from + width - 1n });
      continue;
    }
    const period = BigInt(match[3]);
    const teeth = BigInt(match[4] as string);
    if (period <= width || teeth < 2n) return null;
    ranges.push({ from, to: from + (teeth - 1n) * period + width - 1n, comb: { period, width } });
  }
  return ranges;
}
