/**
 * A term of leadership: renews the lock at TTL/3 and decides what an outcome means.
 *
 * Two rules pull against each other. "Step down 1 s before the lock expires" keeps a leader from acting on a lock that is
 * no longer its own. "If Redis is away, the leader goes on" keeps rows flowing when nobody can hold any lock. The first
 * rule is what a lock needs when it is the fence; here it is not: every append compares the epoch in the database, so
 * acting on a lapsed lock costs one fenced transaction and never a row (I2, I7). Stepping down without need, on the other
 * hand, stops the source for as long as Redis is away, because no standby can win an election either. So an answer
 * decides, silence does not:
 * - Redis answers that somebody else has the lock: the signal aborts at once;
 * - Redis answers and the lock has vanished (FLUSHALL, restart, lapsed while we were paused): it is taken again in the
 *   same atomic step that would have found somebody else's;
 * - Redis does not answer, or answers only with a refusal: the term goes on, trying again, at once when the connection is
 *   back. From 1 s before the lock's expiry on it is `unproven`, which is logged and can be read.
 * If only we are cut off from Redis, a standby wins the lapsed lock, raises the epoch, and our next append is `fenced`.
 * The deadline is monotonic and counted from the start of the attempt, never from its answer: the TTL may have begun then.
 */
import type { Doorbell, LeaderTerm } from '#outbox';
import { type Clock, type Logger, RelayError } from '#runtime';
import type { HeldLock } from './lock-service.ts';

/** The lock counts as proven only until this long before it can expire. */
export const EXPIRY_MARGIN_MS = 1000;
/** How soon a renewal without an answer is tried again, if the connection does not come back earlier. */
const AWAY_RETRY_MAX_MS = 500;

export interface ProvenTerm extends LeaderTerm {
  /** False while the lock could have lapsed because Redis does not answer; the epoch still fences. */
  readonly proven: boolean;
}

export interface TermOptions {
  readonly source: string;
  readonly lock: HeldLock;
  readonly ttlMs: number;
  /** Monotonic time at which the attempt that won the lock began. */
  readonly attemptStartedMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly onReachable: (listener: () => void) => () => void;
  /** Called once, when the lock is certainly no longer held by this term. */
  readonly onEnd: () => void;
}

/** Starts renewing; the term ends by `release`, or by itself when the lock is somebody else's. */
export function holdTerm(options: TermOptions): ProvenTerm {
  const { source, lock, ttlMs, clock, logger } = options;
  const trustMs = ttlMs - EXPIRY_MARGIN_MS;
  const renewEveryMs = Math.floor(ttlMs / 3);
  const ended = new AbortController();
  let trustedUntilMs = options.attemptStartedMs + trustMs;
  let wake = new AbortController();
  let warned = false;
  let releasing: Promise<void> | null = null;

  const wakeUp = () => wake.abort();
  const stopListening = options.onReachable(wakeUp);
  const end = (reason: string) => {
    if (ended.signal.aborted) return;
    stopListening();
    ended.abort(new RelayError('STOPPED', reason, { details: { source } }));
    wakeUp();
  };

  const renew = async (): Promise<number> => {
    const startedMs = clock.nowMs();
    const outcome = await lock.renew();
    if (ended.signal.aborted) return 0;
    if (outcome === 'lost') {
      logger.warn({ source }, 'lost the leader lock to another process, stepping down');
      end('the leader lock is held by another process');
      options.onEnd();
      return 0;
    }
    if (outcome === 'held') {
      trustedUntilMs = Math.max(trustedUntilMs, startedMs + trustMs);
      if (warned) logger.info({ source }, 'leader lock confirmed again');
      warned = false;
      // A late answer used up part of the time, and the next attempt counts from its own start.
      return Math.max(0, startedMs + renewEveryMs - clock.nowMs());
    }
    if (!warned && clock.nowMs() >= trustedUntilMs) {
      warned = true;
      logger.warn({ source }, 'redis does not answer: leadership goes on without the lock, fenced by the epoch');
    }
    return Math.min(renewEveryMs, AWAY_RETRY_MAX_MS);
  };

  const keep = async () => {
    let waitMs = Math.max(0, options.attemptStartedMs + renewEveryMs - clock.nowMs());
    while (!ended.signal.aborted) {
      wake = new AbortController();
      await clock.sleep(waitMs, wake.signal);
      if (!ended.signal.aborted) waitMs = await renew();
    }
  };
  const kept = keep();

  const release = async () => {
    const wasOurs = !ended.signal.aborted;
    end('released');
    // A renewal under way would take the lock again after the delete.
    await kept;
    if (!wasOurs) return;
    await lock.release();
    options.onEnd();
    options.doorbell.ring({ kind: 'leader-gone', source });
    logger.info({ source }, 'released the leader lock');
  };

  return {
    signal: ended.signal,
    get proven() {
      return !ended.signal.aborted && clock.nowMs() < trustedUntilMs;
    },
    release: () => {
      releasing ??= release();
      return releasing;
    },
  };
}
