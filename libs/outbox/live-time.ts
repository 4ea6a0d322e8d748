/**
 * Time in which this process and the server were both seen to work. A grace has to be live: when the machine stood still, the
 * insert that the grace is for stood still, too. Each call stands for an answer of the server a moment ago.
 */
import type { SourceSnapshot } from './ports.ts';

const STEP_MAX_MS = 500;

export class LiveTime {
  #lastMs: number;
  #liveMs = 0;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  get ms(): number {
    return this.#liveMs;
  }

  advance(nowMs: number): void {
    this.#liveMs += Math.min(STEP_MAX_MS, Math.max(0, nowMs - this.#lastMs));
    this.#lastMs = nowMs;
  }
}

/** A snapshot each answer of which is told: it shows that the server works. */
export const hearing = (snapshot: SourceSnapshot, onAnswer: () => void): SourceSnapshot => ({
  readRanges: (ranges, limits) => snapshot.readRanges(ranges, limits).finally(onAnswer),
  committedIn: (ranges, rowsMax) => snapshot.committedIn(ranges, rowsMax).finally(onAnswer),
  committedOf: (mask) => snapshot.committedOf(mask).finally(onAnswer),
});
