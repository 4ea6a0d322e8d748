/** Records an attempt that certainly failed. */
import type { AsideState } from '#outbox';
import { errorText } from './aside-row.ts';
import { retryDeadlock, type Storage } from './storage.ts';

export interface AttemptOutcome {
  readonly error: string;
  readonly dueInMs: number;
  readonly state: AsideState;
}

/** One attempt more, its token forgotten since its outcome is known. */
export async function failAttempt(storage: Storage, id: number, outcome: AttemptOutcome): Promise<void> {
  const sql = `UPDATE ${storage.tables.deadLetter} SET attempts = attempts + 1, attempt_token = 0, state = ?, error = ?, due_at = NOW(6) + INTERVAL ? MICROSECOND, last_at = NOW(6) WHERE id = ?`;
  const values = [outcome.state, errorText(outcome.error), Math.round(outcome.dueInMs * 1_000), id];
  await retryDeadlock(storage, () => storage.pool.run(sql, values));
}
