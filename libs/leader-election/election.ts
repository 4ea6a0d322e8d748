/** An election over any lock service: one attempt a call, a term when it was won. */
import type { Doorbell, LeaderElection } from '#outbox';
import { type Clock, type Logger, RelayError } from '#runtime';
import { holdTerm, type ProvenTerm } from './hold-term.ts';
import { EXPIRY_MARGIN_MS } from './lock-proof.ts';
import type { LockService } from './lock-service.ts';

/** Below this a term would be trusted for less than a second. */
const TTL_MIN_MS = 2000;

export interface ElectionOptions {
  readonly locks: LockService;
  /** Time after which a dead leader's lock lapses, in whole milliseconds, at least 2000. */
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told `leader-gone` after a clean release, so that a standby takes over at once. */
  readonly doorbell: Pick<Doorbell, 'ring'>;
}

export interface ProvenElection extends LeaderElection {
  tryAcquire(source: string): Promise<ProvenTerm | null>;
}

/** Throws CONFIG_INVALID when `ttlMs` is out of bounds. */
export function createElection(options: ElectionOptions): ProvenElection {
  const { locks, ttlMs, clock, logger } = options;
  if (!Number.isSafeInteger(ttlMs) || ttlMs < TTL_MIN_MS) {
    throw new RelayError('CONFIG_INVALID', `the leader lock's TTL must be at least ${TTL_MIN_MS} ms`);
  }
  const terms = new Map<string, ProvenTerm>();
  const attempts = new Map<string, Promise<ProvenTerm | null>>();
  let closing: Promise<void> | null = null;

  const attempt = async (source: string): Promise<ProvenTerm | null> => {
    const attemptStartedMs = clock.nowMs();
    const lock = await locks.acquire(source);
    if (lock === null) return null;
    const tooLate = clock.nowMs() >= attemptStartedMs + ttlMs - EXPIRY_MARGIN_MS;
    if (tooLate || closing !== null) {
      await lock.release();
      return null;
    }
    const term = holdTerm({
      source,
      lock,
      ttlMs,
      attemptStartedMs,
      clock,
      logger,
      doorbell: options.doorbell,
      onReachable: (listener) => locks.onReachable(listener),
      onEnd: () => terms.delete(source),
    });
    terms.set(source, term);
    return term;
  };

  const close = async () => {
    await Promise.all(attempts.values());
    await Promise.all([...terms.values()].map((term) => term.release()));
    await locks.close();
  };

  return {
    // A source we lead, or are trying for at this moment, is not for a second caller of the same process.
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
