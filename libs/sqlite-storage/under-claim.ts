/** Work done under a claim, and only under it, in one transaction with the look whether it still stands. */
import type { SqliteStatements } from './sqlite-file.ts';
import type { Storage } from './storage.ts';

/**
 * Null, with nothing changed, when the claim is no longer ours; otherwise what `work` says. A sender paused at the wrong moment
 * wakes up after its lane was taken: what it writes then must not count.
 */
export function underClaim<T>(
  { file, tables }: Storage,
  lane: number,
  claimEpoch: number,
  work: (sql: SqliteStatements) => T,
): Promise<T | null> {
  const look = `SELECT 1 FROM ${tables.lane} WHERE lane = ? AND claim_epoch = ? AND holder IS NOT NULL`;
  return file.write((sql) => (sql.get(look, lane, claimEpoch) === undefined ? null : work(sql)));
}
