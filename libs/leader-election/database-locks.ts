/**
 * The lock in the database: GET_LOCK on a session of its own. The server gives the lock back when the session ends, so a killed
 * leader's standby needs no TTL; the session of one that was paused or cut off is ended by the server once it has asked nothing
 * for as long as the session's `wait_timeout`.
 */
import { asRelayError, type Logger } from '#runtime';
import type { Acquired, HeldLock, LockService, Renewed } from './lock-service.ts';
import { type LockSession, lockQuestions } from './lock-session.ts';

export interface DatabaseLocksOptions {
  /** Opens a session, with a deadline of its own. The server ends it when it rests for longer than about a TTL. */
  readonly connect: () => Promise<LockSession>;
  /** Tells deployments apart that share a database. */
  readonly prefix: string;
  /** Deadline of every query, in milliseconds. */
  readonly queryDeadlineMs: number;
  readonly logger: Logger;
}

/** Keeps one session a source. */
export function createDatabaseLocks(options: DatabaseLocksOptions): LockService {
  const { logger } = options;
  const questions = lockQuestions(options.prefix, options.queryDeadlineMs);
  /** Of the last attempt that somebody else was ahead of. */
  const idle = new Map<string, LockSession>();
  let closed = false;

  const heldLock = (source: string, session: LockSession): HeldLock => ({
    renew: async (): Promise<Renewed> => {
      if (await questions.check(session, source).catch(() => false)) return { kind: 'held' };
      // Without an answer the lock may be anybody's: with the session it is certainly not ours.
      await questions.drop(session);
      return { kind: 'lost' };
    },
    release: async () => {
      await questions.giveBack(session, source).catch(() => false);
      await questions.drop(session);
    },
  });

  const tryOn = async (session: LockSession, source: string): Promise<Acquired> => {
    if (await questions.take(session, source)) return { kind: 'won', lock: heldLock(source, session) };
    if (closed) await questions.drop(session);
    else idle.set(source, session);
    return { kind: 'held' };
  };

  return {
    acquire: async (source) => {
      const kept = idle.get(source);
      idle.delete(source);
      let session = kept ?? null;
      for (;;) {
        try {
          session ??= await options.connect();
          return await tryOn(session, source);
        } catch (thrown) {
          // Ending the session also gives back a lock whose grant was lost on the way.
          if (session) await questions.drop(session);
          const { code } = asRelayError(thrown);
          logger.debug({ source, err: thrown }, 'the database elected nobody');
          // A kept session that rested for too long was ended by the server.
          if (session === null || session !== kept) return { kind: 'away', why: code };
          session = null;
        }
      }
    },
    onReachable: () => () => undefined,
    close: async () => {
      closed = true;
      await Promise.all([...idle.values()].map((session) => questions.drop(session)));
      idle.clear();
    },
  };
}
