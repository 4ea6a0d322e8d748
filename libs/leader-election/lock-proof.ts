/** How long the last confirmation of a lock may be relied on, and the log lines when that runs out and returns. */
import type { Clock, Logger } from '#runtime';

/** The lock counts as proven only until this long before it can expire. */
export const EXPIRY_MARGIN_MS = 1000;

export interface LockProof {
  readonly proven: boolean;
  /** Redis confirmed the lock in an attempt that began at `startedMs`: the TTL may have begun then, not at the answer. */
  confirmed(startedMs: number): void;
  /** Redis did not answer; says so once when the proof has run out. */
  unanswered(): void;
}

/** Monotonic: neither a clock jump nor a slow answer makes a lock look younger than it is. */
export function createLockProof(
  source: string,
  ttlMs: number,
  startedMs: number,
  clock: Clock,
  logger: Logger,
): LockProof {
  const trustMs = ttlMs - EXPIRY_MARGIN_MS;
  let trustedUntilMs = startedMs + trustMs;
  let warned = false;
  return {
    get proven() {
      return clock.nowMs() < trustedUntilMs;
    },
    confirmed: (attemptStartedMs) => {
      trustedUntilMs = Math.max(trustedUntilMs, attemptStartedMs + trustMs);
      if (warned) logger.info({ source }, 'leader lock confirmed again');
      warned = false;
    },
    unanswered: () => {
      if (warned || clock.nowMs() < trustedUntilMs) return;
      warned = true;
      logger.warn({ source }, 'redis does not answer: leadership goes on without the lock, fenced by the epoch');
    },
  };
}
