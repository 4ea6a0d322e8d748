/**
 * Takes a lane that is free or whose lease ran out. The former holder joins `fence_ids` in the same transaction and stays there
 * until somebody has fenced it: a taker that dies before fencing leaves both ids, its own and the former, to the next one.
 */
import type { LaneClaim } from '#outbox';
import { LANE_COLUMNS, type LaneColumns } from './lane-row.ts';
import type { Storage } from './storage.ts';
import { NOW } from './tables.ts';

/** Null: the lane is held, not running or unknown. */
export function claimLane(
  { file, tables }: Storage,
  lane: number,
  holder: string,
  leaseMs: number,
): Promise<LaneClaim | null> {
  const select = `SELECT ${LANE_COLUMNS} FROM ${tables.lane} WHERE lane = ?`;
  const update = `UPDATE ${tables.lane} SET holder = ?, claim_epoch = ?, fence_ids = ?, lease_until = ${NOW} + ?, updated_at = ${NOW} WHERE lane = ?`;
  return file.write((sql) => {
    const row = sql.get<LaneColumns>(select, lane);
    if (row?.state !== 'running' || (row.holder !== null && row.lease_expired !== 1)) return null;
    const earlier = JSON.parse(row.fence_ids) as string[];
    const fenceIds = [...new Set(row.holder === null ? earlier : [...earlier, row.holder])];
    const claimEpoch = row.claim_epoch + 1;
    sql.run(update, holder, claimEpoch, JSON.stringify(fenceIds), leaseMs, lane);
    const { source, delivered_id: deliveredId, holder: formerHolder } = row;
    return { lane, source, claimEpoch, deliveredId, fenceIds, formerHolder };
  });
}
