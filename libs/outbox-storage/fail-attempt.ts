/** Records attempts that certainly failed. */
import { type AsideState, errorText } from '#outbox';
import { underClaim } from './prove-claim.ts';
import type { Storage } from './storage.ts';

export interface AttemptOutcome {
  readonly error: string;
  readonly dueInMs: number;
  readonly state: AsideState;
}

/** One attempt more of each, its token forgotten since its outcome is known. False also when none of the rows is there. */
export async function failAttempts(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  ids: readonly number[],
  outcome: AttemptOutcome,
): Promise<boolean> {
  const sql = `UPDATE ${storage.tables.deadLetter} SET attempts = attempts + 1, attempt_token = 0, waits_for = NULL, state = ?, error = ?, due_at = NOW(6) + INTERVAL ? MICROSECOND, last_at = NOW(6) WHERE id IN (?)`;
  const values = [outcome.state, errorText(outcome.error), Math.round(outcome.dueInMs * 1_000), ids];
  const done = await underClaim(storage, lane, claimEpoch, async (session) => {
    const { affectedRows } = await session.run(sql, values);
    return affectedRows > 0;
  });
  return done ?? false;
}
