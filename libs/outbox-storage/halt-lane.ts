/** Stops a lane, loudly (I8): nobody claims or renews it until an operator resumes it. Its holder stays to be fenced. */
import { retryDeadlock, type Storage } from './storage.ts';

const WHY_LENGTH_MAX = 4_000;

export async function haltLane(storage: Storage, lane: number, why: string): Promise<void> {
  const sql = `UPDATE ${storage.tables.lane} SET state = 'halted', why = ?, updated_at = NOW(6) WHERE lane = ?`;
  await retryDeadlock(storage, () => storage.pool.run(sql, [why.slice(0, WHY_LENGTH_MAX), lane]));
}
