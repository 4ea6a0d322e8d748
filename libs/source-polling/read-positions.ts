/** Plain reads of the watermark column alone: they lock nothing. */
import { type Pool, quoteServerName, type Session } from '#database';
import type { PositionMask, PositionRange } from '#outbox';
import type { Lender } from './lender.ts';
import type { PositionColumn } from './position-column.ts';
import { maskCondition, rangesCondition } from './ranges-condition.ts';

/** Ranges in one statement: the range optimizer walks them one by one, and past some hundreds gives up on the index. */
export const RANGES_PER_STATEMENT_MAX = 200;

/** Highest committed position, or null when the table is empty. */
export const readHighestPosition = (pool: Pool, target: PositionColumn): Promise<bigint | null> =>
  readOutermost(pool, target, 'DESC');

/** Lowest committed position, or null when the table is empty. */
export const readLowestPosition = (pool: Pool, target: PositionColumn): Promise<bigint | null> =>
  readOutermost(pool, target, 'ASC');

/** The same in one partition of the table, whose name the server gave. */
export function readLowestIn(
  pool: Pool,
  target: PositionColumn,
  table: string,
  partition: string,
): Promise<bigint | null> {
  // A subpartition is named after its partition, which holds it.
  const name = partition.split(/#sp#/i)[0] as string;
  const from = `FROM ${table} PARTITION (${quoteServerName(name)})`;
  return readOutermost(pool, { ...target, from }, 'ASC');
}

async function readOutermost(
  pool: Pool,
  { from, column }: PositionColumn,
  order: 'ASC' | 'DESC',
): Promise<bigint | null> {
  const [row] = await pool.query<{ position: string | number }>(
    `SELECT ${column} AS position ${from} ORDER BY ${column} ${order} LIMIT 1`,
  );
  return row === undefined ? null : BigInt(row.position);
}

/** Positions in the ranges with a committed row, ascending, at most `rowsMax`. */
export const readCommitted = (
  pool: Lender,
  target: PositionColumn,
  ranges: readonly PositionRange[],
  rowsMax: number,
): Promise<readonly bigint[]> => pool.use((session) => readOn(session, target, ranges, rowsMax));

/** Positions that the mask counts and that have a committed row, ascending. */
export const readMasked = (
  lender: Lender,
  { from, column }: PositionColumn,
  mask: PositionMask,
): Promise<readonly bigint[]> =>
  lender.use(async (session) => {
    const { where, values } = maskCondition(column, mask);
    const rows = await session.query<{ position: string | number }>(
      `SELECT ${column} AS position ${from} WHERE ${where} ORDER BY ${column}`,
      values,
    );
    return rows.map(({ position }) => BigInt(position));
  });

/** As `readCommitted`, but rows of open transactions are seen, too. */
export const readUncommitted = (
  pool: Pool,
  target: PositionColumn,
  ranges: readonly PositionRange[],
  rowsMax: number,
): Promise<readonly bigint[]> =>
  pool.use(async (session) => {
    await session.run('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
    await session.run('START TRANSACTION READ ONLY');
    const found = await readOn(session, target, ranges, rowsMax);
    await session.run('COMMIT');
    return found;
  });

async function readOn(
  session: Session,
  { from, column }: PositionColumn,
  ranges: readonly PositionRange[],
  rowsMax: number,
): Promise<readonly bigint[]> {
  const found: bigint[] = [];
  for (let first = 0; first < ranges.length && found.length < rowsMax; first += RANGES_PER_STATEMENT_MAX) {
    const { where, values } = rangesCondition(column, ranges.slice(first, first + RANGES_PER_STATEMENT_MAX));
    const rows = await session.query<{ position: string | number }>(
      `SELECT ${column} AS position ${from} WHERE ${where} ORDER BY ${column} LIMIT ?`,
      [...values, rowsMax - found.length],
    );
    for (const { position } of rows) found.push(BigInt(position));
  }
  return found;
}
