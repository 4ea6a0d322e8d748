/** A term whose lock is a database session: it ends with the session. */
import type { Doorbell, LeaderTerm } from '#outbox';
import { type Clock, type Logger, RelayError } from '#runtime';
import type { LockQuestions, LockSession } from './lock-session.ts';

export interface DatabaseTermOptions {
  readonly source: string;
  readonly session: LockSession;
  readonly questions: LockQuestions;
  readonly checkIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly doorbell: Pick<Doorbell, 'ring'>;
  /** Called once, when the session is gone. */
  readonly onEnd: () => void;
}

export function holdDatabaseTerm(options: DatabaseTermOptions): LeaderTerm {
  const { source, session, questions, clock, logger } = options;
  const ended = new AbortController();
  let releasing: Promise<void> | null = null;
  const end = (reason: string) => ended.abort(new RelayError('STOPPED', reason, { details: { source } }));

  const watch = async () => {
    while (!ended.signal.aborted) {
      await clock.sleep(options.checkIntervalMs, ended.signal);
      if (ended.signal.aborted) return;
      const ours = await questions.check(session, source).catch(() => false);
      if (ours || ended.signal.aborted) continue;
      logger.warn({ source }, 'the session of the leader lock is gone, stepping down');
      end('the session of the leader lock is gone');
      await questions.drop(session);
      options.onEnd();
    }
  };
  const watched = watch();

  const release = async () => {
    const wasOurs = !ended.signal.aborted;
    if (wasOurs) end('released');
    await watched;
    if (!wasOurs) return;
    await questions.giveBack(session, source).catch(() => false);
    await questions.drop(session);
    options.onEnd();
    options.doorbell.ring({ kind: 'leader-gone', source });
    logger.info({ source }, 'released the leader lock');
  };
  return {
    signal: ended.signal,
    release: () => {
      releasing ??= release();
      return releasing;
    },
  };
}
