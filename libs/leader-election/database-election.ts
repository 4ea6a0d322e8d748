/**
 * Leader election without Redis: GET_LOCK on a session of its own. The server gives the lock back when the session ends,
 * so a killed leader's standby needs no TTL. Here silence does end a term: without the database nothing can be moved
 * anyway, and a session that does not answer may have lost its locks. The epoch fences as ever; it is also what keeps two
 * nodes of a cluster apart whose GET_LOCK is known to one node only (Galera).
 */
import type { Doorbell, LeaderElection, LeaderTerm } from '#outbox';
import { type Clock, type Logger, systemClock } from '#runtime';
import { holdDatabaseTerm } from './hold-database-term.ts';
import { type LockSession, lockQuestions } from './lock-session.ts';

export interface DatabaseElectionOptions {
  /** Opens a session, with a deadline of its own. */
  readonly connect: () => Promise<LockSession>;
  /** Tells deployments apart that share a database. */
  readonly prefix: string;
  /** How often a leader makes sure that its session still holds the lock, in milliseconds. */
  readonly checkIntervalMs: number;
  /** Deadline of every query, in milliseconds. */
  readonly queryDeadlineMs: number;
  readonly logger: Logger;
  /** Told `leader-gone` after a clean release. */
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly clock?: Clock;
}

/** `tryAcquire` never rejects: a database that cannot be reached elects nobody. It keeps one session a source. */
export function createDatabaseElection(options: DatabaseElectionOptions): LeaderElection {
  const { logger, doorbell, checkIntervalMs } = options;
  const clock = options.clock ?? systemClock;
  const questions = lockQuestions(options.prefix, options.queryDeadlineMs);
  const terms = new Map<string, LeaderTerm>();
  const attempts = new Map<string, Promise<LeaderTerm | null>>();
  const idle = new Map<string, LockSession>();
  let closing: Promise<void> | null = null;

  const hold = (source: string, session: LockSession): LeaderTerm => {
    const onEnd = () => terms.delete(source);
    const common = {
      source,
      session,
      questions,
      checkIntervalMs,
      clock,
      logger,
      doorbell,
    };
    const term = holdDatabaseTerm({ ...common, onEnd });
    terms.set(source, term);
    return term;
  };

  const attempt = async (source: string): Promise<LeaderTerm | null> => {
    let session = idle.get(source);
    idle.delete(source);
    try {
      session ??= await options.connect();
      if (closing === null && (await questions.take(session, source))) return hold(source, session);
    } catch (error) {
      logger.debug({ source, err: error }, 'the database elected nobody');
      // Ending the session also gives back a lock whose grant was lost on the way.
      if (session) await questions.drop(session);
      return null;
    }
    if (closing === null) idle.set(source, session);
    else await questions.drop(session);
    return null;
  };

  const close = async () => {
    await Promise.all(attempts.values());
    await Promise.all([...terms.values()].map((term) => term.release()));
    await Promise.all([...idle.values()].map((session) => questions.drop(session)));
  };

  return {
    tryAcquire: async (source) => {
      if (closing !== null || terms.has(source) || attempts.has(source)) return null;
      const trying = attempt(source).finally(() => attempts.delete(source));
      attempts.set(source, trying);
      return trying;
    },
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
