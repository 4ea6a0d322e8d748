/** Work done under a claim, and only under it, in one transaction with the look whether it still stands. */
import type { SqliteStatements } from './sqlite-file.ts';
import type { Storage } from './storage.ts';

/**
 * False, with nothing changed, when the claim is no longer ours or when `work` says so. A sender paused at the wrong moment
 * wakes up after its lane was taken: what it writes then must not count.
 */
export function underClaim(
  { file, tables }: Storage,
  lane: number,
  claimEpoch: number,
  work: (sql: SqliteStatements) => boolean,
): Promise<boolean> {
  const look = `SELECT 1 FROM ${tables.lane} WHERE lane = ? AND claim_epoch = ? AND holder IS NOT NULL`;
  return file.write((sql) => sql.get(look, lane, claimEpoch) !== undefined && work(sql));
}
