/** Tells a worker that hangs from one that has nothing to do. BullMQ's workers have hung after outages of Redis before. */

export interface WorkerLook {
  /** Jobs nobody has taken, or null when Redis does not answer. */
  readonly waiting: number | null;
  /** True while the worker runs as many jobs as it may. */
  readonly full: boolean;
  /** When the worker last began or ended a job. */
  readonly lastActiveMs: number;
}

/** Returns a function that is shown the worker now and then, and answers whether it hangs. */
export function createWorkerWatch(silentMs: number): (look: WorkerLook, nowMs: number) => boolean {
  // Since when jobs have been seen waiting in every look: a job that arrived a moment ago proves nothing.
  let waitingSinceMs: number | null = null;
  return ({ waiting, full, lastActiveMs }, nowMs) => {
    if (waiting === null || waiting === 0 || full) {
      waitingSinceMs = null;
      return false;
    }
    waitingSinceMs ??= nowMs;
    const hangs = nowMs - Math.max(waitingSinceMs, lastActiveMs) >= silentMs;
    if (hangs) waitingSinceMs = null;
    return hangs;
  };
}
