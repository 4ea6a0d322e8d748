/**
 * The lock probe: a locking read that never waits. At READ COMMITTED it takes no gap lock, so the application can go on
 * inserting into the range. LIMIT 1 is right: rows are met in index order, so a row that is found says `rows` whatever comes
 * after it, and only when none is found has the whole range been walked. It also keeps our lock to one row for one statement.
 */
import { type EngineKind, errnoOf, type Pool } from '#database';
import type { PositionRange, ProbeOutcome } from '#outbox';

/** ER_LOCK_WAIT_TIMEOUT (MariaDB answers NOWAIT with it) and ER_LOCK_NOWAIT (MySQL 8). */
const LOCK_ERRNOS: ReadonlySet<number> = new Set([1205, 3572]);

export interface ProbeTarget {
  /** `FROM .. FORCE INDEX ..`: without the hint a small table may be scanned whole, locking rows outside the range. */
  readonly from: string;
  /** The column, quoted. */
  readonly column: string;
}

export async function probeRange(
  pool: Pool,
  kind: EngineKind,
  target: ProbeTarget,
  range: PositionRange,
): Promise<ProbeOutcome> {
  const locking = kind === 'mariadb' ? 'LOCK IN SHARE MODE NOWAIT' : 'FOR SHARE NOWAIT';
  const { from, column } = target;
  const sql = `SELECT ${column} AS position ${from} WHERE ${column} BETWEEN ? AND ? ORDER BY ${column} LIMIT 1 ${locking}`;
  try {
    const rows = await pool.query(sql, [range.from, range.to]);
    return rows.length > 0 ? 'rows' : 'empty';
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== null && LOCK_ERRNOS.has(errno)) return 'locked';
    throw error;
  }
}
