/** Stops a lane, loudly (I8): nobody claims or renews it until an operator resumes it. Its holder stays to be fenced. */
import { errorText } from '#outbox';
import { retryDeadlock, type Storage } from './storage.ts';

/** False, with nothing changed, when the claim is no longer ours. */
export async function haltLane(storage: Storage, lane: number, claimEpoch: number, why: string): Promise<boolean> {
  const sql = `UPDATE ${storage.tables.lane} SET state = 'halted', why = ?, updated_at = NOW(6) WHERE lane = ? AND claim_epoch = ? AND holder IS NOT NULL`;
  const values = [errorText(why), lane, claimEpoch];
  const { affectedRows } = await retryDeadlock(storage, () => storage.pool.run(sql, values));
  return affectedRows === 1;
}
