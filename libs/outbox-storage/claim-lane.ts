/**
 * Takes a lane that is free or whose lease ran out. The former holder joins `fence_ids` in the same transaction and stays there
 * until somebody has fenced it: a taker that dies before fencing leaves both ids, its own and the former, to the next one.
 */
import { errnoOf, type Session, transaction } from '#database';
import type { LaneClaim } from '#outbox';
import { isExpired, LANE_COLUMNS, type LaneColumns, numberOrNull } from './lane-row.ts';
import { retryDeadlock, type Storage } from './storage.ts';

/** MariaDB answers a refused NOWAIT with a lock wait timeout, MySQL with a number of its own. */
const LOCKED_ERRNOS = new Set([1205, 3572]);

/** Null: the lane is held, not running, unknown, or somebody is at its row this very moment. */
export async function claimLane(
  storage: Storage,
  lane: number,
  holder: string,
  leaseMs: number,
): Promise<LaneClaim | null> {
  try {
    return await retryDeadlock(storage, () =>
      transaction(storage.pool, (session) => claimOn(session, storage, lane, holder, leaseMs)),
    );
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== null && LOCKED_ERRNOS.has(errno)) return null;
    throw error;
  }
}

async function claimOn(
  session: Session,
  { tables }: Storage,
  lane: number,
  holder: string,
  leaseMs: number,
): Promise<LaneClaim | null> {
  const nowait = session.engine.kind === 'singlestore' ? '' : ' NOWAIT';
  const [row] = await session.query<LaneColumns>(
    `SELECT ${LANE_COLUMNS} FROM ${tables.lane} WHERE lane = ? FOR UPDATE${nowait}`,
    [lane],
  );
  if (row?.state !== 'running' || (row.holder !== null && !isExpired(row))) return null;
  const earlier = JSON.parse(row.fence_ids) as string[];
  const fenceIds = [...new Set(row.holder === null ? earlier : [...earlier, row.holder])];
  const claimEpoch = Number(row.claim_epoch) + 1;
  await session.run(
    `UPDATE ${tables.lane} SET holder = ?, claim_epoch = ?, fence_ids = ?, lease_until = NOW(6) + INTERVAL ? MICROSECOND, updated_at = NOW(6) WHERE lane = ?`,
    [holder, claimEpoch, JSON.stringify(fenceIds), leaseMs * 1_000, lane],
  );
  return {
    lane,
    source: row.source,
    claimEpoch,
    deliveredId: numberOrNull(row.delivered_id),
    fenceIds,
    formerHolder: row.holder,
  };
}
