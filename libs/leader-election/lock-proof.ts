/** How long the last confirmation of a lock may be relied on. */
import type { Clock } from '#runtime';

/** The lock counts as proven only until this long before it can expire. */
export const EXPIRY_MARGIN_MS = 1000;

export interface LockProof {
  readonly proven: boolean;
  /** Redis confirmed the lock in an attempt that began at `startedMs`: the TTL may have begun then, not at the answer. */
  confirmed(startedMs: number): void;
}

/** Monotonic: neither a clock jump nor a slow answer makes a lock look younger than it is. Not proven before it is confirmed. */
export function createLockProof(ttlMs: number, clock: Clock): LockProof {
  const trustMs = ttlMs - EXPIRY_MARGIN_MS;
  let trustedUntilMs = Number.NEGATIVE_INFINITY;
  return {
    get proven() {
      return clock.nowMs() < trustedUntilMs;
    },
    confirmed: (attemptStartedMs) => {
      trustedUntilMs = Math.max(trustedUntilMs, attemptStartedMs + trustMs);
    },
  };
}
