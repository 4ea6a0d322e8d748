/** Persists an attempt's token before it is sent: after a crash Kafka's copy of it tells whether the attempt went through. */
import { RelayError } from '#runtime';
import { retryDeadlock, type Storage } from './storage.ts';

/** Throws INVARIANT_BROKEN when the row is not aside (any more): it must not be sent then. */
export async function beginAttempt(storage: Storage, id: number, token: number): Promise<void> {
  const sql = `UPDATE ${storage.tables.deadLetter} SET attempt_token = ?, last_at = NOW(6) WHERE id = ? AND state <> 'dead'`;
  const { affectedRows } = await retryDeadlock(storage, () => storage.pool.run(sql, [token, id]));
  if (affectedRows !== 1) throw new RelayError('INVARIANT_BROKEN', `row ${id} is not waiting for an attempt`);
}
