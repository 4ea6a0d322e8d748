/** Renews the leases of claims still ours. */
import { transaction } from '#database';
import { retryDeadlock, type Storage } from './storage.ts';

export interface ClaimRef {
  readonly lane: number;
  readonly claimEpoch: number;
}

/** Resolves to the lanes renewed, ascending; a lane missing is lost or not running any more. */
export async function renewLeases(
  storage: Storage,
  claims: readonly ClaimRef[],
  leaseMs: number,
): Promise<readonly number[]> {
  if (claims.length === 0) return [];
  const { pool, tables } = storage;
  const lanes = claims.map(({ lane }) => lane).sort((a, b) => a - b);
  const epochs = claims.map(() => 'WHEN ? THEN ?').join(' ');
  const ours = `lane IN (?) AND state = 'running' AND holder IS NOT NULL AND claim_epoch = CASE lane ${epochs} END`;
  const oursValues = [lanes, ...claims.flatMap(({ lane, claimEpoch }) => [lane, claimEpoch])];
  const set = `SET lease_until = NOW(6) + INTERVAL ? MICROSECOND, updated_at = NOW(6)`;
  const update = `UPDATE ${tables.lane} ${set} WHERE ${ours}`;
  const { affectedRows } = await retryDeadlock(storage, () => pool.run(update, [leaseMs * 1_000, ...oursValues]));
  if (affectedRows === claims.length) return lanes;
  // Some were lost: lock what is ours before naming it, so that the answer and the leases cannot differ.
  return retryDeadlock(storage, () =>
    transaction(pool, async (session) => {
      const rows = await session.query<{ lane: number }>(
        `SELECT lane FROM ${tables.lane} WHERE ${ours} ORDER BY lane FOR UPDATE`,
        oursValues,
      );
      const kept = rows.map((row) => row.lane);
      if (kept.length > 0) {
        await session.run(`UPDATE ${tables.lane} ${set} WHERE lane IN (?)`, [leaseMs * 1_000, kept]);
      }
      return kept;
    }),
  );
}
