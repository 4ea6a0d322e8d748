/** A clock whose pauses between two polls end early when a commit was noticed; pauses after faults last as they must. */
import type { Clock } from '#runtime';

export interface WakeableClock extends Clock {
  /** Ends the pause under way, or the next one. */
  wake(): void;
  /** While true, nothing ends a pause early. */
  deaf: boolean;
}

/** Commits that come within it are moved together: each move is a synced transaction, in which the application waits. */
const GATHER_MS = 10;

export function wakeable(clock: Clock): WakeableClock {
  let pause: AbortController | null = null;
  let rung = false;
  return {
    deaf: false,
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs(),
    async sleep(ms, signal) {
      if (this.deaf) return clock.sleep(ms, signal);
      const gatherMs = Math.min(ms, GATHER_MS);
      await clock.sleep(gatherMs, signal);
      if (!rung && ms > gatherMs && !signal?.aborted) {
        pause = new AbortController();
        await clock.sleep(ms - gatherMs, signal === undefined ? pause.signal : AbortSignal.any([signal, pause.signal]));
        pause = null;
      }
      rung = false;
    },
    wake() {
      rung = true;
      pause?.abort();
    },
  };
}
