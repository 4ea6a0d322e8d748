/**
 * Progress of one thing that moves rows: a sender, a source's writer, a partition. Only two things count: rows that moved, and a
 * look that found none waiting. A session that opened, a marker written anew, a turn without a fault count for nothing, so that a
 * fault that lasts is seen to last: attempts go on counting, and the time since rows stand goes on. Time is an argument.
 */
import { causeOf } from './cause-of.ts';
import type { RelayError } from './errors.ts';
import type { StallCause } from './stall-causes.ts';

export interface LastFault {
  readonly cause: StallCause;
  readonly text: string;
}

export class Progress {
  #faults = 0;
  #last: LastFault | null = null;
  /** Null: nothing waits. Else since when progress is due. */
  #dueSinceMs: number | null = null;
  #idleAtMs = Number.NEGATIVE_INFINITY;

  /** Rows moved. More may wait: the next progress is due from now on. */
  moved(nowMs: number): void {
    this.#faults = 0;
    this.#last = null;
    this.#dueSinceMs = nowMs;
  }

  /** A look succeeded, and nothing waits. */
  idle(nowMs: number): void {
    this.#idleAtMs = nowMs;
    this.#faults = 0;
    this.#last = null;
    this.#dueSinceMs = null;
  }

  /** Somebody else is to move the rows: nothing is due here, and nothing is known of whether the fault is over. */
  standBy(): void {
    this.#dueSinceMs = null;
  }

  /** Rows wait, or nobody knows yet whether any do: from the first call on, progress is due. */
  due(nowMs: number): void {
    this.#dueSinceMs ??= nowMs;
  }

  /** An attempt failed. Returns how many have since rows moved or none waited, this one included. */
  failed(error: RelayError, nowMs: number): number {
    this.#faults += 1;
    this.hindered({ cause: causeOf(error), text: `${error.code}: ${error.message}` }, nowMs);
    return this.#faults;
  }

  /** Rows wait for this reason, and whoever is asked goes on with others. */
  hindered(fault: LastFault, nowMs: number): void {
    this.#last = fault;
    this.due(nowMs);
  }

  /** Attempts that failed since rows moved or none waited. */
  get faults(): number {
    return this.#faults;
  }

  get lastFault(): LastFault | null {
    return this.#last;
  }

  /** When a look last found that nothing waits. */
  get idleAtMs(): number {
    return this.#idleAtMs;
  }

  /** How long rows wait, or may wait, and none moved, in milliseconds; 0 while idle. */
  standingMs(nowMs: number): number {
    return this.#dueSinceMs === null ? 0 : Math.max(0, nowMs - this.#dueSinceMs);
  }
}
