/** Reads a result set as it streams in and keeps no more than a budget of it, so that one batch's memory is bounded. */
import type { Session } from './session.ts';
import type { SqlValue } from './sql-value.ts';

export interface ReadBounds<Row> {
  readonly rowsMax: number;
  /** Budget of kept rows, in bytes as `sizeOf` counts them; the first row always fits. */
  readonly bytesMax: number;
  readonly sizeOf: (row: Row) => number;
}

export interface BoundedRows<Row> {
  readonly rows: Row[];
  /** True when the result reached `rowsMax` or rows were dropped for their bytes: more are likely waiting. */
  readonly full: boolean;
  /** Rows that came in but were dropped; many of them ask for a smaller LIMIT next time. */
  readonly dropped: number;
}

/** The kept rows are always the first of the result: from the first dropped row on, every row is dropped. */
export async function readBounded<Row extends object>(
  session: Session,
  sql: string,
  values: readonly SqlValue[],
  bounds: ReadBounds<Row>,
): Promise<BoundedRows<Row>> {
  const rows: Row[] = [];
  let bytes = 0;
  let dropped = 0;
  await session.stream<Row>(sql, values, (row) => {
    const size = bounds.sizeOf(row);
    if (dropped > 0 || (rows.length > 0 && (rows.length >= bounds.rowsMax || bytes + size > bounds.bytesMax))) {
      dropped += 1;
      return;
    }
    bytes += size;
    rows.push(row);
  });
  return { rows, full: dropped > 0 || rows.length >= bounds.rowsMax, dropped };
}
