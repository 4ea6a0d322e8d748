/** Renews the leases of claims still ours. */
import type { Storage } from './storage.ts';
import { NOW } from './tables.ts';

export interface ClaimRef {
  readonly lane: number;
  readonly claimEpoch: number;
}

/** Resolves to the lanes renewed, ascending; a lane missing is lost or not running any more. */
export async function renewLeases(
  { file, tables }: Storage,
  claims: readonly ClaimRef[],
  leaseMs: number,
): Promise<readonly number[]> {
  if (claims.length === 0) return [];
  const renew = `UPDATE ${tables.lane} SET lease_until = ${NOW} + ?, updated_at = ${NOW} WHERE lane = ? AND claim_epoch = ? AND state = 'running' AND holder IS NOT NULL`;
  const ascending = claims.toSorted((a, b) => a.lane - b.lane);
  return file.write((sql) =>
    ascending.filter(({ lane, claimEpoch }) => sql.run(renew, leaseMs, lane, claimEpoch) === 1).map(({ lane }) => lane),
  );
}
