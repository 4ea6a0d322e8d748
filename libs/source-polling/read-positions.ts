/** Plain reads of the watermark column alone. */
import type { Pool } from '#database';
import type { PositionRange } from '#outbox';
import type { ProbeTarget } from './probe-ranges.ts';

/** Highest committed position, or null when the table is empty. */
export const readHighestPosition = (pool: Pool, target: ProbeTarget): Promise<bigint | null> =>
  readOutermost(pool, target, 'DESC');

/** Lowest committed position, or null when the table is empty. */
export const readLowestPosition = (pool: Pool, target: ProbeTarget): Promise<bigint | null> =>
  readOutermost(pool, target, 'ASC');

async function readOutermost(pool: Pool, { from, column }: ProbeTarget, order: 'ASC' | 'DESC'): Promise<bigint | null> {
  const [row] = await pool.query<{ position: string | number }>(
    `SELECT ${column} AS position ${from} ORDER BY ${column} ${order} LIMIT 1`,
  );
  return row === undefined ? null : BigInt(row.position);
}

/** Committed positions in the range, ascending. */
export async function readPositions(
  pool: Pool,
  { from, column }: ProbeTarget,
  range: PositionRange,
  rowsMax: number,
): Promise<readonly bigint[]> {
  const rows = await pool.query<{ position: string | number }>(
    `SELECT ${column} AS position ${from} WHERE ${column} BETWEEN ? AND ? ORDER BY ${column} LIMIT ?`,
    [range.from, range.to, rowsMax],
  );
  return rows.map((row) => BigInt(row.position));
}
