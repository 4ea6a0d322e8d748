/** Persists an attempt's token before it is sent: after a crash Kafka's copy of it tells whether the attempt went through. */
import { underClaim } from './prove-claim.ts';
import type { Storage } from './storage.ts';

/** False also when the row is not waiting for an attempt any more: somebody got it through, and it must not be sent again. */
export function beginAttempt(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  id: number,
  token: number,
): Promise<boolean> {
  const sql = `UPDATE ${storage.tables.deadLetter} SET attempt_token = ?, last_at = NOW(6) WHERE id = ? AND state <> 'dead'`;
  return underClaim(storage, lane, claimEpoch, async (session) => {
    const { affectedRows } = await session.run(sql, [token, id]);
    return affectedRows === 1;
  });
}
