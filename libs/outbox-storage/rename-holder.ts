/** A holder goes on under another transactional id: whoever takes the lane fences that one. */
import { retryDeadlock, type Storage } from './storage.ts';

/** False when the claim is no longer ours. */
export async function renameHolder(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  holder: string,
): Promise<boolean> {
  const sql = `UPDATE ${storage.tables.lane} SET holder = ?, updated_at = NOW(6) WHERE lane = ? AND claim_epoch = ? AND holder IS NOT NULL`;
  const { affectedRows } = await retryDeadlock(storage, () => storage.pool.run(sql, [holder, lane, claimEpoch]));
  return affectedRows === 1;
}
