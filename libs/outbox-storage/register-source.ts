/**
 * Gives a source its watermark row and lanes of its own, next after the highest in use. Two primary keys do the locking: the
 * second writer of one source waits for the first one's watermark row, the second of two sources for the first one's lanes.
 */
import { errnoOf, type Session, transaction } from '#database';
import { LANES_MAX, type PositionRange } from '#outbox';
import { RelayError } from '#runtime';
import { readLanesOf } from './lanes-of.ts';
import { retryDeadlock, type Storage } from './storage.ts';
import { gapsToText } from './watermark-row.ts';

export interface SourceRegistration {
  readonly source: string;
  readonly position: bigint;
  readonly gaps: readonly PositionRange[];
  readonly lanes: number;
}

const DUPLICATE_ERRNO = 1062;
/** Sources that may take the next lanes just before us. */
const COLLISIONS_MAX = 50;

/** Throws CONFIG_INVALID when not enough of the 1,024 lanes are left. */
export async function registerSource(storage: Storage, request: SourceRegistration): Promise<readonly number[]> {
  for (let collisions = 0; ; collisions += 1) {
    try {
      return await retryDeadlock(storage, () =>
        transaction(storage.pool, (session) => registerOn(session, storage, request)),
      );
    } catch (error) {
      if (errnoOf(error) !== DUPLICATE_ERRNO || collisions >= COLLISIONS_MAX) throw error;
    }
  }
}

async function registerOn(
  session: Session,
  { tables }: Storage,
  request: SourceRegistration,
): Promise<readonly number[]> {
  const taken = await session.query(`SELECT 1 FROM ${tables.watermark} WHERE source = ?`, [request.source]);
  if (taken.length > 0) return readLanesOf(session, tables, request.source);
  await session.run(
    `INSERT INTO ${tables.watermark} (source, position, gaps, next_sequence, epoch, leader, updated_at) VALUES (?, ?, ?, 1, 0, NULL, NOW(6))`,
    [request.source, request.position.toString(), gapsToText(request.gaps)],
  );
  const [highest] = await session.query<{ next: string }>(
    `SELECT COALESCE(MAX(lane) + 1, 0) AS next FROM ${tables.lane}`,
  );
  const first = Number(highest?.next ?? 0);
  if (first + request.lanes > LANES_MAX) {
    throw new RelayError(
      'CONFIG_INVALID',
      `source ${request.source} needs ${request.lanes} lanes, ${LANES_MAX - first} of ${LANES_MAX} are left`,
    );
  }
  const lanes = Array.from({ length: request.lanes }, (_, index) => first + index);
  const rows = lanes.map(() => "(?, ?, NULL, NULL, 0, NULL, '[]', 'running', NULL, NOW(6))").join(', ');
  await session.run(
    `INSERT INTO ${tables.lane} (lane, source, delivered_id, holder, claim_epoch, lease_until, fence_ids, state, why, updated_at) VALUES ${rows}`,
    lanes.flatMap((lane) => [lane, request.source]),
  );
  return lanes;
}
