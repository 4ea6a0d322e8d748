/** The condition that a position lies in one of some ranges, as SQL. */
import type { PositionRange } from '#outbox';

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
    // Added, not subtracted: an unsigned difference below zero is an error, and the server may look at a row outside the range.
    const { period, width } = comb;
    parts.push(`(${column} BETWEEN ? AND ? AND (${column} + ?) % ? < ?)`);
    values.push((period - (from % period)) % period, period, width);
  }
  return { where: parts.join(' OR '), values };
}
