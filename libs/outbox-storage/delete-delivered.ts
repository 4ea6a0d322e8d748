/** Deletes what is in Kafka for certain (I6), and moves `delivered_id` with it. */
import { type Session, transactionOn } from '#database';
import { laneEnd, laneFloor } from '#outbox';
import { RelayError } from '#runtime';
import { retryDeadlock, type Storage } from './storage.ts';

/**
 * One transaction with at most `rowsMax` rows of `after < id <= upTo`, from the lowest. Resolves to the id up to which it has
 * deleted: `upTo`, or less when more is left for the next call.
 */
export async function deleteDelivered(
  storage: Storage,
  lane: number,
  after: number,
  upTo: number,
  rowsMax: number,
): Promise<number> {
  if (after < laneFloor(lane) || upTo >= laneEnd(lane)) {
    throw new RelayError('INVARIANT_BROKEN', `lane ${lane} does not own the ids ${after} to ${upTo}`);
  }
  if (upTo <= after) return after;
  return retryDeadlock(storage, () =>
    storage.pool.use(async (session) => {
      const { rows, last } = await findRange(session, storage, after, upTo, rowsMax);
      await transactionOn(session, () => deleteRange(session, storage, { lane, after, last, rows }));
      return last;
    }),
  );
}

/**
 * A plain read: every row in the range was committed long ago, or it could not be in Kafka. Two walks of the index, since
 * one that counts up to a limit goes through a temporary table, which cost as much again as deleting the rows.
 */
async function findRange(
  session: Session,
  { tables }: Storage,
  after: number,
  upTo: number,
  rowsMax: number,
): Promise<{ readonly rows: number; readonly last: number }> {
  const range = `FROM ${tables.outbox} WHERE id > ? AND id <= ?`;
  const [cut] = await session.query<{ id: string | number }>(`SELECT id ${range} ORDER BY id LIMIT 1 OFFSET ?`, [
    after,
    upTo,
    rowsMax - 1,
  ]);
  if (cut !== undefined) return { rows: rowsMax, last: Number(cut.id) };
  const [found] = await session.query<{ n: string | number }>(`SELECT COUNT(*) AS n ${range}`, [after, upTo]);
  return { rows: Number(found?.n ?? 0), last: upTo };
}

async function deleteRange(
  session: Session,
  { tables }: Storage,
  range: { readonly lane: number; readonly after: number; readonly last: number; readonly rows: number },
): Promise<void> {
  if (range.rows > 0) {
    // The exact LIMIT ends the scan at its last row. Without it InnoDB looks at the row behind the range, and waits for the
    // writer when that row is not committed yet (tried on MariaDB 10.11): a paused writer would hold up every trim.
    const limit = session.engine.kind === 'singlestore' ? '' : ` ORDER BY id LIMIT ${range.rows}`;
    await session.run(`DELETE FROM ${tables.outbox} WHERE id > ? AND id <= ?${limit}`, [range.after, range.last]);
  }
  await session.run(
    `UPDATE ${tables.lane} SET delivered_id = GREATEST(COALESCE(delivered_id, ?), ?), updated_at = NOW(6) WHERE lane = ?`,
    [range.last, range.last, range.lane],
  );
}
