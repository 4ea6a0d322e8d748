/** Runs work again that the server itself rolled back: deadlocks and lock waits, a bounded number of times. */
import { backoffMs, type Clock, type Random, RelayError } from '#runtime';

export interface RetryTransientOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Runs in all, the first included; 5 unless said. */
  readonly attemptsMax?: number;
}

const ATTEMPTS_MAX_DEFAULT = 5;
const PAUSE = { baseMs: 5, maxMs: 250 };

/** `work` must be a whole transaction or a single statement. Any other fault, or the last one, is thrown as it is. */
export async function retryTransient<T>(work: () => Promise<T>, options: RetryTransientOptions): Promise<T> {
  const attemptsMax = options.attemptsMax ?? ATTEMPTS_MAX_DEFAULT;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const again = error instanceof RelayError && error.code === 'DB_TRANSIENT' && attempt < attemptsMax;
      if (!again) throw error;
      await options.clock.sleep(backoffMs(attempt, PAUSE, options.random));
    }
  }
}
