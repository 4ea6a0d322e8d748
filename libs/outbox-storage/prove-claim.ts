/** Work done under a claim, and only under it: the lane row is locked and compared first, and stays locked until the commit. */
import { type Session, transaction } from '#database';
import { retryDeadlock, type Storage } from './storage.ts';

/**
 * Null, with nothing changed, when the claim is no longer ours; otherwise what `work` says.
 * A sender paused at the wrong moment wakes up after its lane was taken: what it writes then must not count.
 */
export function underClaim<T>(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  work: (session: Session) => Promise<T>,
): Promise<T | null> {
  const sql = `SELECT 1 FROM ${storage.tables.lane} WHERE lane = ? AND claim_epoch = ? AND holder IS NOT NULL FOR UPDATE`;
  return retryDeadlock(storage, () =>
    transaction(storage.pool, async (session) => {
      const ours = await session.query(sql, [lane, claimEpoch]);
      return ours.length === 1 ? work(session) : null;
    }),
  );
}
