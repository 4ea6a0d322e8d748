/** Removes a row that is in Kafka now. */
import { retryDeadlock, type Storage } from './storage.ts';

export async function removeAside(storage: Storage, id: number): Promise<void> {
  const sql = `DELETE FROM ${storage.tables.deadLetter} WHERE id = ?`;
  await retryDeadlock(storage, () => storage.pool.run(sql, [id]));
}
