/** The lane's first marker is in Kafka: from here on a missing marker halts the lane. */
import { retryDeadlock, type Storage } from './storage.ts';

/** False when the claim is no longer ours. */
export async function recordMarkerWritten(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  deliveredId: number,
): Promise<boolean> {
  const sql = `UPDATE ${storage.tables.lane} SET delivered_id = GREATEST(COALESCE(delivered_id, ?), ?), updated_at = NOW(6) WHERE lane = ? AND claim_epoch = ? AND holder IS NOT NULL`;
  const { affectedRows } = await retryDeadlock(storage, () =>
    storage.pool.run(sql, [deliveredId, deliveredId, lane, claimEpoch]),
  );
  return affectedRows === 1;
}
