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
import { createLockProof, type LockProof } from './lock-proof.ts';
import type { HeldLock, RenewOutcome } from './lock-service.ts';

/** How soon a renewal without an answer is tried again, if the connection does not come back earlier. */
const AWAY_RETRY_MAX_MS = 500;
const WOKEN = 'woken';

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

/** Renews until the signal aborts; `onLost` is called when somebody else has the lock, and aborts it. */
async function renewUntil(
  ended: AbortSignal,
  options: TermOptions,
  proof: LockProof,
  onLost: () => void,
): Promise<void> {
  const { lock, clock, ttlMs } = options;
  const renewEveryMs = Math.floor(ttlMs / 3);
  let wake = new AbortController();
  // A reason of our own: without one, every wake-up would cost a DOMException with its stack.
  const wakeUp = () => wake.abort(WOKEN);
  const stopListening = options.onReachable(wakeUp);
  ended.addEventListener('abort', wakeUp, { once: true });
  let startedMs = options.attemptStartedMs;
  let outcome: RenewOutcome = 'held';
  while (!ended.aborted) {
    wake = new AbortController();
    // An answer that came late used up part of the time: the next attempt counts from the start of the last.
    const dueInMs = Math.max(0, startedMs + renewEveryMs - clock.nowMs());
    await clock.sleep(outcome === 'held' ? dueInMs : Math.min(renewEveryMs, AWAY_RETRY_MAX_MS), wake.signal);
    if (ended.aborted) break;
    startedMs = clock.nowMs();
    outcome = await lock.renew();
    if (ended.aborted) break;
    if (outcome === 'lost') onLost();
    else if (outcome === 'held') proof.confirmed(startedMs);
    else proof.unanswered();
  }
  stopListening();
}

/** Starts renewing; the term ends by `release`, or by itself when the lock is somebody else's. */
export function holdTerm(options: TermOptions): ProvenTerm {
  const { source, lock, ttlMs, attemptStartedMs, clock, logger } = options;
  const ended = new AbortController();
  const proof = createLockProof(source, ttlMs, attemptStartedMs, clock, logger);
  let releasing: Promise<void> | null = null;

  const end = (reason: string) => ended.abort(new RelayError('STOPPED', reason, { details: { source } }));
  const kept = renewUntil(ended.signal, options, proof, () => {
    logger.warn({ source }, 'lost the leader lock to another process, stepping down');
    end('the leader lock is held by another process');
    options.onEnd();
  });

  const release = async () => {
    const wasOurs = !ended.signal.aborted;
    if (wasOurs) end('released');
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
      return !ended.signal.aborted && proof.proven;
    },
    release: () => {
      releasing ??= release();
      return releasing;
    },
  };
}
