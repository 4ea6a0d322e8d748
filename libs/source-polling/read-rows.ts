/** One SELECT of source rows, encoded as they stream in and bounded in rows and bytes: a plain read that locks nothing. */
import type { RowBytes, SqlValue, WireColumn } from '#database';
import { type BatchLimits, bytesOf, type SourceBatch, type SourceRow } from '#outbox';
import { RelayError } from '#runtime';
import { resolveKinds } from './column-kinds.ts';
import { EventEncoder } from './event-encoder.ts';
import type { Lender } from './lender.ts';
import type { ReadPlan } from './read-plan.ts';
import { RowEncoder } from './row-encoder.ts';

/** `stale`: the table has changed since the plan was made, and nothing was read. */
export type ReadOutcome = SourceBatch | 'stale';

/** Reading so much to its end is quicker than a new connection. */
const BYTES_DROPPED_MIN = 4 * 1024 * 1024;

/** Takes rows until a limit cuts. It sees one row past the cut, and so knows whether `full` is true. */
class BatchCollector {
  readonly rows: SourceRow[] = [];
  full = false;
  readonly #limits: BatchLimits;
  readonly #plan: ReadPlan;
  #bytes = 0;

  constructor(limits: BatchLimits, plan: ReadPlan) {
    this.#limits = limits;
    this.#plan = plan;
  }

  /** False when the row did not fit. */
  add(row: SourceRow): boolean {
    const { rows } = this;
    const last = rows.at(-1);
    if (last !== undefined && last.position === row.position) {
      throw new RelayError(
        'SOURCE_ID_TWICE',
        `two rows of source ${this.#plan.sourceName} have the watermark ${row.position}: make the watermark column unique`,
      );
    }
    const size = bytesOf(row);
    if (rows.length > 0 && (rows.length >= this.#limits.rowsMax || this.#bytes + size > this.#limits.bytesMax)) {
      this.full = true;
      return false;
    }
    this.#bytes += size;
    rows.push(row);
    return true;
  }
}

/** `where` is a condition on the watermark column with `values` for its placeholders. */
export async function readRows(
  pool: Lender,
  plan: ReadPlan,
  where: string,
  values: readonly SqlValue[],
  limits: BatchLimits,
  limitRows: number,
): Promise<ReadOutcome> {
  const collector = new BatchCollector(limits, plan);
  let encoder: RowEncoder | EventEncoder | null = null;
  let stale = false;
  const sql = `SELECT ${plan.selectList} ${plan.from} WHERE ${where} ORDER BY ${plan.watermark} LIMIT ?`;
  await pool.use((session) =>
    session.streamBytes(sql, [...values, limitRows + 1], {
      bytesDroppedMax: Math.max(limits.bytesMax, BYTES_DROPPED_MIN),
      onColumns(columns: readonly WireColumn[]): boolean {
        const kinds = resolveKinds(plan, columns);
        if (kinds === 'not-utf8') {
          throw new RelayError('INTERNAL', 'the database session does not answer in utf8mb4');
        }
        stale = kinds === 'stale';
        if (kinds === 'stale') return false;
        encoder = plan.event === null ? new RowEncoder(plan, kinds) : new EventEncoder(plan, plan.event, kinds);
        return !stale;
      },
      onRow: (row: RowBytes): boolean => collector.add((encoder as RowEncoder | EventEncoder).encode(row)),
    }),
  );
  if (stale) return 'stale';
  return { rows: collector.rows, full: collector.full || collector.rows.length > limitRows };
}
