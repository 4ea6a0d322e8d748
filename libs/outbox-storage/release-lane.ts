/** Gives a lane back cleanly: nothing of ours can be in flight, so nobody needs to fence us. */
import { laneFloor } from '#outbox';
import { retryDeadlock, type Storage } from './storage.ts';

/**
 * False when the claim is no longer ours. `deliveredId` never goes back, and a lane whose first marker was not recorded stays
 * without one as long as nothing was delivered: otherwise its missing marker would halt it.
 */
export async function releaseLane(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  deliveredId: number,
): Promise<boolean> {
  const delivered =
    'CASE WHEN delivered_id IS NULL AND ? <= ? THEN NULL ELSE GREATEST(COALESCE(delivered_id, ?), ?) END';
  const sql = `UPDATE ${storage.tables.lane} SET delivered_id = ${delivered}, holder = NULL, lease_until = NULL, updated_at = NOW(6) WHERE lane = ? AND claim_epoch = ? AND holder IS NOT NULL`;
  const { affectedRows } = await retryDeadlock(storage, () =>
    storage.pool.run(sql, [deliveredId, laneFloor(lane), deliveredId, deliveredId, lane, claimEpoch]),
  );
  return affectedRows === 1;
}
