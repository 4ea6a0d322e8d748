/**
 * The lock probe: a locking read that never waits. At READ COMMITTED it takes no gap lock, so the application can go on
 * inserting into the range. LIMIT 1 is right: rows are met in index order, so a row that is found says `rows` whatever comes
 * after it, and only when none is found has the whole range been walked. It also keeps our lock to one row for one statement.
 *
 * A range scan has to look at the row next to the range to know that it is past the end, and a row that the application is
 * updating there looks just like an open insert inside (seen on MariaDB 10.11). So short ranges are asked id by id, which
 * touches no neighbour, and a long range that looks locked is walked once more from its other end, which meets the other
 * neighbour: a row inside is locked from both ends. `locked` can still be said wrongly, `empty` never.
 *
 * MySQL may walk a small table's whole index for a list of ids or a range, hint or not, and meet everybody's locks (seen on 9.7):
 * there each id is a look-up of its own, in one statement, which its optimiser always does by the unique index.
 */
import { type EngineKind, errnoOf, type Pool } from '#database';
import type { PositionRange, ProbeOutcome } from '#outbox';

/** ER_LOCK_WAIT_TIMEOUT (MariaDB answers NOWAIT with it) and ER_LOCK_NOWAIT (MySQL 8). */
const LOCK_ERRNOS: ReadonlySet<number> = new Set([1205, 3572]);
/** Ids asked one by one in one statement. */
const SINGLE_IDS_MAX = 100n;

export interface ProbeTarget {
  /** `FROM .. FORCE INDEX ..`: without the hint a small table may be scanned whole, locking rows outside the range. */
  readonly from: string;
  /** The column, quoted. */
  readonly column: string;
}

/** Short ranges together in one statement, long ones one after another; the first that is not empty ends it. */
export async function probeRanges(
  pool: Pool,
  kind: EngineKind,
  target: ProbeTarget,
  ranges: readonly PositionRange[],
): Promise<ProbeOutcome> {
  const { column } = target;
  const locking = kind === 'mariadb' ? 'LOCK IN SHARE MODE NOWAIT' : 'FOR SHARE NOWAIT';
  const ask = (condition: string, values: readonly bigint[], direction: 'ASC' | 'DESC') =>
    askOnce(
      pool,
      `SELECT ${column} AS position ${target.from} WHERE ${condition} ORDER BY ${column} ${direction} LIMIT 1 ${locking}`,
      values,
    );
  const askSingly = (ids: readonly bigint[]) => {
    if (kind !== 'mysql') return ask(`${column} IN (${ids.map(() => '?').join(', ')})`, ids, 'ASC');
    const one = `(SELECT ${column} AS position ${target.from} WHERE ${column} = ? ${locking})`;
    return askOnce(pool, `${ids.map(() => one).join(' UNION ALL ')} LIMIT 1`, ids);
  };
  let single: bigint[] = [];
  for (const { from, to } of ranges) {
    const size = to - from + 1n;
    let outcome: ProbeOutcome = 'empty';
    if (size > SINGLE_IDS_MAX) {
      outcome = await ask(`${column} BETWEEN ? AND ?`, [from, to], 'ASC');
      if (outcome === 'locked') outcome = await ask(`${column} BETWEEN ? AND ?`, [from, to], 'DESC');
    } else {
      const ids = Array.from({ length: Number(size) }, (_, index) => from + BigInt(index));
      if (BigInt(single.length) + size > SINGLE_IDS_MAX) {
        outcome = await askSingly(single);
        single = [];
      }
      single.push(...ids);
    }
    if (outcome !== 'empty') return outcome;
  }
  return single.length === 0 ? 'empty' : askSingly(single);
}

async function askOnce(pool: Pool, sql: string, values: readonly bigint[]): Promise<ProbeOutcome> {
  try {
    const rows = await pool.query(sql, values);
    return rows.length > 0 ? 'rows' : 'empty';
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== null && LOCK_ERRNOS.has(errno)) return 'locked';
    throw error;
  }
}
