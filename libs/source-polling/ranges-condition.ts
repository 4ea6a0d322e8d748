/** The condition that a position lies in one of some ranges, as SQL. */
import type { SqlValue } from '#database';
import type { PositionMask, PositionRange } from '#outbox';

/** `column` quoted. A comb is walked by the index and filtered by the server, so that only rows in its teeth are sent. */
export function rangesCondition(
  column: string,
  ranges: readonly PositionRange[],
): { readonly where: string; readonly values: readonly bigint[] } {
  const parts: string[] = [];
  const values: bigint[] = [];
  for (const { from, to, comb } of ranges) {
    values.push(from, to);
    if (comb === undefined) {
      parts.push(`${column} BETWEEN ? AND ?`);
      continue;
    }
    const { period, width } = comb;
    parts.push(`(${column} BETWEEN ? AND ? AND ${distance(column)} < ?)`);
    values.push(...distanceValues(from, period), width);
  }
  return { where: parts.join(' OR '), values };
}

/**
 * How far a position lies above `from`, modulo `period`. Added, not subtracted: an unsigned difference below zero is an error, and
 * the server may look at a row outside the range. Added to the remainder: no sum goes past the largest number.
 */
const distance = (column: string): string => `(${column} % ? + ?) % ?`;
const distanceValues = (from: bigint, period: bigint): bigint[] => [
  period,
  (period - (from % period)) % period,
  period,
];

/** The condition that a position's bit is set. The server walks the rows and sends those that it holds for. */
export function maskCondition(
  column: string,
  { first, last, bits }: PositionMask,
): { readonly where: string; readonly values: readonly SqlValue[] } {
  const at = distanceValues(first, BigInt(bits.length) * 8n);
  return {
    where: `${column} BETWEEN ? AND ? AND (ASCII(SUBSTRING(?, ${distance(column)} DIV 8 + 1, 1)) >> (${distance(column)} % 8)) & 1 = 1`,
    values: [first, last, bits, ...at, ...at],
  };
}
