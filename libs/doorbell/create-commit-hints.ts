/**
 * Rings for a commit that nobody sees. Whoever writes a row into somebody else's transaction does not learn when that commits:
 * libraries have no common hook for it, and taking over the methods of a caller's connection would change what is not ours. A ring
 * is only a hint, so it may come too early: it is repeated, each wait twice the one before. A row committed `t` after it was
 * written is rung for at the latest `2t` + 10 ms after it was written.
 */
import { backgroundClock, type Clock } from '#runtime';

export interface CommitHints {
  /** A row was just written and may be committed any moment. Never throws, never waits. */
  ringSoon(): void;
  /** Rings once more if somebody may still wait to be heard, and never again. */
  close(): void;
}

export interface CommitHintsOptions {
  readonly ring: () => void;
  /** Default: one whose timers keep no process alive. */
  readonly clock?: Clock;
}

const FIRST_WAIT_MS = 10;
/** Eleven rings within some 20 s of the last row; a transaction that takes longer is found by polling. */
const LAST_WAIT_MS = 10_240;

export function createCommitHints({ ring, clock = backgroundClock }: CommitHintsOptions): CommitHints {
  let waitMs = FIRST_WAIT_MS;
  let running = false;
  let closed = false;
  /** A row came while the ring after this one was due at the first pace anyway. */
  let another = false;
  let wake = new AbortController();

  // One series for all rows: each new row begins it anew, so that none waits longer than it would alone.
  const ringOn = async () => {
    waitMs = FIRST_WAIT_MS;
    while (waitMs <= LAST_WAIT_MS) {
      another = false;
      await clock.sleep(waitMs, wake.signal);
      if (closed) return;
      if (wake.signal.aborted) {
        wake = new AbortController();
        waitMs = FIRST_WAIT_MS;
      } else {
        ring();
        waitMs = another ? FIRST_WAIT_MS : waitMs * 2;
      }
    }
    running = false;
  };

  return {
    ringSoon: () => {
      if (closed) return;
      another = true;
      if (running) {
        if (waitMs > FIRST_WAIT_MS) wake.abort();
        return;
      }
      running = true;
      ringOn().catch(() => {
        running = false;
      });
    },
    close: () => {
      if (closed) return;
      closed = true;
      if (running) ring();
      wake.abort();
    },
  };
}
