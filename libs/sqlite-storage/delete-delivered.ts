/** Deletes what is in Kafka for certain (I6), and moves `delivered_id` with it. */
import { laneEnd, laneFloor } from '#outbox';
import { RelayError } from '#runtime';
import type { Storage } from './storage.ts';
import { NOW } from './tables.ts';

/**
 * One transaction with at most `rowsMax` rows of `after < id <= upTo`, from the lowest. Resolves to the id up to which it has
 * deleted: `upTo`, or less when more is left for the next call.
 */
export async function deleteDelivered(
  { file, tables }: Storage,
  lane: number,
  after: number,
  upTo: number,
  rowsMax: number,
): Promise<number> {
  if (after < laneFloor(lane) || upTo >= laneEnd(lane)) {
    throw new RelayError('INVARIANT_BROKEN', `lane ${lane} does not own the ids ${after} to ${upTo}`);
  }
  if (upTo <= after) return after;
  const range = `FROM ${tables.outbox} WHERE id > ? AND id <= ?`;
  const raise = `UPDATE ${tables.lane} SET delivered_id = MAX(COALESCE(delivered_id, ?), ?), updated_at = ${NOW} WHERE lane = ?`;
  return file.write((sql) => {
    const cut = sql.get<{ id: number }>(`SELECT id ${range} ORDER BY id LIMIT 1 OFFSET ?`, after, upTo, rowsMax - 1);
    const last = cut?.id ?? upTo;
    sql.run(`DELETE ${range}`, after, last);
    sql.run(raise, last, last, lane);
    return last;
  });
}
