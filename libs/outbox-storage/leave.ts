/** A member says goodbye. */
import { retryDeadlock, type Storage } from './storage.ts';

export async function leave(storage: Storage, memberId: string): Promise<void> {
  const sql = `DELETE FROM ${storage.tables.member} WHERE id = ?`;
  await retryDeadlock(storage, () => storage.pool.run(sql, [memberId]));
}
