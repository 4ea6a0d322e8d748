/** Time and chance as arguments: the core takes a Clock and a Random, only this file touches the real ones. */

export interface Clock {
  /** Monotonic milliseconds, for deadlines and durations. Never compare it across processes. */
  nowMs(): number;
  /** Wall clock milliseconds since the epoch, for logs only: all protocol clocks are the database's. */
  wallMs(): number;
  /** Resolves after `ms`, or early (never rejecting) when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Uniform in [0, 1). */
export type Random = () => number;

const clockOf = (keepsAlive: boolean): Clock => ({
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      if (!keepsAlive) timer.unref();
      signal?.addEventListener('abort', finish, { once: true });
    }),
});

export const systemClock: Clock = clockOf(true);

/** Its sleeps do not keep a process alive that has nothing else to do: only for what may as well not happen. */
export const backgroundClock: Clock = clockOf(false);

export const systemRandom: Random = () => Math.random();
