/** New lane rows for a source, next after the highest in use by any source; their primary key is the lock. */
import { errnoOf, type Session } from '#database';
import { LANES_MAX, type OutboxTables } from '#outbox';
import { RelayError } from '#runtime';

const DUPLICATE_ERRNO = 1062;
/** Sources that may take the next lanes just before us. */
const COLLISIONS_MAX = 50;

/** Inside the caller's transaction. Throws CONFIG_INVALID when not enough of the 1,024 lanes are left. */
export async function addLanes(
  session: Session,
  tables: OutboxTables,
  source: string,
  count: number,
): Promise<readonly number[]> {
  const [highest] = await session.query<{ next: string }>(
    `SELECT COALESCE(MAX(lane) + 1, 0) AS next FROM ${tables.lane}`,
  );
  const first = Number(highest?.next ?? 0);
  if (first + count > LANES_MAX) {
    throw new RelayError(
      'CONFIG_INVALID',
      `source ${source} needs ${count} lanes, ${LANES_MAX - first} of ${LANES_MAX} are left`,
    );
  }
  const lanes = Array.from({ length: count }, (_, index) => first + index);
  const rows = lanes.map(() => "(?, ?, NULL, NULL, 0, NULL, '[]', 'running', NULL, NOW(6))").join(', ');
  await session.run(
    `INSERT INTO ${tables.lane} (lane, source, delivered_id, holder, claim_epoch, lease_until, fence_ids, state, why, updated_at) VALUES ${rows}`,
    lanes.flatMap((lane) => [lane, source]),
  );
  return lanes;
}

/** Runs a whole transaction with `addLanes` in it again when another source took the same lanes first. */
export async function whileLanesCollide<T>(work: () => Promise<T>): Promise<T> {
  for (let collisions = 0; ; collisions += 1) {
    try {
      return await work();
    } catch (error) {
      if (errnoOf(error) !== DUPLICATE_ERRNO || collisions >= COLLISIONS_MAX) throw error;
    }
  }
}
