/** Everybody named in `fence_ids` is fenced now. */
import { retryDeadlock, type Storage } from './storage.ts';

/** False when the claim is no longer ours: then somebody else has to fence us, too, and the list stays. */
export async function clearFences(storage: Storage, lane: number, claimEpoch: number): Promise<boolean> {
  const sql = `UPDATE ${storage.tables.lane} SET fence_ids = '[]', updated_at = NOW(6) WHERE lane = ? AND claim_epoch = ? AND holder IS NOT NULL`;
  const { affectedRows } = await retryDeadlock(storage, () => storage.pool.run(sql, [lane, claimEpoch]));
  return affectedRows === 1;
}
