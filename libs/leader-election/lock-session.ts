/** The three questions an election asks a database session, each with a deadline. */
import { withDeadline } from '#runtime';

/** A dedicated database session: never one of a pool, for its locks live as long as it does. */
export interface LockSession {
  /** Rejects when the session is broken. Values only as placeholders. */
  query(sql: string, values: readonly string[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Ends the session at once, which gives its locks back. */
  close(): Promise<void>;
}

/**
 * Lock names are shared by all databases of a server and may have 64 characters, hence the digest over database, prefix
 * and source (MySQL manual, "Locking Functions").
 */
export const LOCK_NAME = "CONCAT('krs:', SHA2(CONCAT_WS('|', DATABASE(), ?, ?), 224))";
const TAKE = `SELECT GET_LOCK(${LOCK_NAME}, 0) AS answer`;
const CHECK = `SELECT IS_USED_LOCK(${LOCK_NAME}) = CONNECTION_ID() AS answer`;
const GIVE_BACK = `SELECT RELEASE_LOCK(${LOCK_NAME}) AS answer`;

export interface LockQuestions {
  /** True when the lock is ours now. */
  take(session: LockSession, source: string): Promise<boolean>;
  /** True while the session still holds it. */
  check(session: LockSession, source: string): Promise<boolean>;
  giveBack(session: LockSession, source: string): Promise<boolean>;
  /** Ends a session in whatever state it is; never rejects. */
  drop(session: LockSession): Promise<void>;
}

/** All but `drop` reject when the session is broken or silent for `deadlineMs`. */
export function lockQuestions(prefix: string, deadlineMs: number): LockQuestions {
  const ask = async (session: LockSession, sql: string, source: string): Promise<boolean> => {
    const rows = await withDeadline(session.query(sql, [prefix, source]), deadlineMs, 'the leader lock');
    return Number(rows[0]?.answer ?? 0) === 1;
  };
  return {
    take: (session, source) => ask(session, TAKE, source),
    check: (session, source) => ask(session, CHECK, source),
    giveBack: (session, source) => ask(session, GIVE_BACK, source),
    drop: async (session) => {
      await withDeadline(session.close(), deadlineMs, 'ending the lock session').catch(() => undefined);
    },
  };
}
