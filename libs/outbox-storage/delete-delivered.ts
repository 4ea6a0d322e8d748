/** Deletes what is in Kafka for certain (I6), and moves `delivered_id` with it. */
import { type Session, transactionOn } from '#database';
import { laneEnd, laneFloor } from '#outbox';
import { crashPoint, RelayError } from '#runtime';
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
      const range = await findRange(session, storage, after, upTo, rowsMax);
      await transactionOn(session, () => deleteRange(session, storage, { lane, after, ...range }));
      return range.deletedTo;
    }),
  );
}

interface FoundRange {
  /** The highest row to delete; null when there is none. */
  readonly highest: number | null;
  /** Up to here nothing is left afterwards. */
  readonly deletedTo: number;
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
): Promise<FoundRange> {
  const range = `FROM ${tables.outbox} WHERE id > ? AND id <= ?`;
  const [cut] = await session.query<{ id: string | number }>(`SELECT id ${range} ORDER BY id LIMIT 1 OFFSET ?`, [
    after,
    upTo,
    rowsMax - 1,
  ]);
  if (cut !== undefined) return { highest: Number(cut.id), deletedTo: Number(cut.id) };
  const [found] = await session.query<{ id: string | number | null }>(`SELECT MAX(id) AS id ${range}`, [after, upTo]);
  const highest = found?.id ?? null;
  return { highest: highest === null ? null : Number(highest), deletedTo: upTo };
}

/**
 * InnoDB looks at the row behind a range too, and waits for the writer when that row is not committed yet: a paused writer
 * would hold up every trim. So the range ends before its own highest row, which is then deleted by its id alone. The index
 * must be forced, which only this form of DELETE allows: MariaDB 11.4 reads a table whole (with a sort, when an order and
 * a limit are given) as soon as most of it is in the range, and the uncommitted rows with it (tried on 10.11 and 11.4).
 */
async function deleteRange(
  session: Session,
  { tables }: Storage,
  range: FoundRange & { readonly lane: number; readonly after: number },
): Promise<void> {
  if (range.highest !== null) {
    const isForced = session.engine.kind === 'mariadb' || session.engine.kind === 'mysql';
    const below = isForced
      ? `DELETE low FROM ${tables.outbox} AS low FORCE INDEX (PRIMARY) WHERE low.id > ? AND low.id < ?`
      : `DELETE FROM ${tables.outbox} WHERE id > ? AND id < ?`;
    if (range.highest > range.after + 1) await session.run(below, [range.after, range.highest]);
    await session.run(`DELETE FROM ${tables.outbox} WHERE id = ?`, [range.highest]);
    crashPoint('sender-in-delete');
  }
  await session.run(
    `UPDATE ${tables.lane} SET delivered_id = GREATEST(COALESCE(delivered_id, ?), ?), updated_at = NOW(6) WHERE lane = ?`,
    [range.deletedTo, range.deletedTo, range.lane],
  );
}
