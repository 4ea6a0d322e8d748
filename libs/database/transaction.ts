/** A transaction with three ends: committed, certainly not, and unknown. */
import { RelayError } from '#runtime';
import { asDatabaseError, errnoOf } from './as-database-error.ts';
import type { Pool } from './pool.ts';
import type { Session } from './session.ts';

/** Answers to COMMIT that say for certain that nothing was committed: a certification conflict, and a server gone read-only. */
const NOT_COMMITTED = new Set([1213, 1290, 1792, 1836]);

/**
 * Runs `work` between BEGIN and COMMIT on one session.
 * A fault of `work` rolls back and is thrown as it is: nothing was written. A fault of COMMIT itself throws DB_COMMIT_UNKNOWN
 * unless the server's answer rules the commit out.
 */
export function transaction<T>(pool: Pool, work: (session: Session) => Promise<T>): Promise<T> {
  return pool.use((session) => transactionOn(session, work));
}

/** The same on a session the caller holds. */
export async function transactionOn<T>(session: Session, work: (session: Session) => Promise<T>): Promise<T> {
  await session.run('START TRANSACTION');
  let result: T;
  try {
    result = await work(session);
  } catch (thrown) {
    await rollback(session);
    throw asDatabaseError(thrown, 'transaction');
  }
  // A session found broken here has not sent COMMIT: the fault is plain, the server rolls back.
  if (session.broken) await session.run('COMMIT');
  try {
    await session.run('COMMIT');
  } catch (thrown) {
    const error = asDatabaseError(thrown, 'COMMIT');
    session.destroy(error);
    const errno = errnoOf(error);
    if (errno !== null && NOT_COMMITTED.has(errno)) throw error;
    throw new RelayError('DB_COMMIT_UNKNOWN', `the answer to COMMIT was lost (${error.code})`, {
      cause: error,
      details: error.details,
    });
  }
  return result;
}

/** A connection that cannot roll back is given up: its end rolls back. */
export async function rollback(session: Session): Promise<void> {
  if (session.broken) return;
  try {
    await session.run('ROLLBACK');
  } catch {
    session.destroy();
  }
}
