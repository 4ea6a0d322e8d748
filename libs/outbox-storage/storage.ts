/** What every verb of this library works on. */

import { errnoOf, type Pool } from '#database';
import type { OutboxTables } from '#outbox';
import { backoffMs, type Clock, type Random, systemClock, systemRandom } from '#runtime';
import { quoteTables } from './tables.ts';

export interface StoreOptions {
  readonly pool: Pool;
  readonly tables: OutboxTables;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface Storage {
  readonly pool: Pool;
  /** Quoted. */
  readonly tables: OutboxTables;
  readonly clock: Clock;
  readonly random: Random;
}

export function openStorage(options: StoreOptions): Storage {
  return {
    pool: options.pool,
    tables: quoteTables(options.tables),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}

const DEADLOCK_ERRNO = 1213;
const RUNS_MAX = 5;
const PAUSE = { baseMs: 5, maxMs: 100 };

/**
 * Runs a whole transaction or a single statement again when the server rolled it back to break a deadlock. A lock wait
 * that timed out is not run again here: it has cost seconds already, and the caller's own pace decides when to come back.
 */
export async function retryDeadlock<T>(storage: Storage, work: () => Promise<T>): Promise<T> {
  for (let run = 1; ; run += 1) {
    try {
      return await work();
    } catch (error) {
      if (errnoOf(error) !== DEADLOCK_ERRNO || run >= RUNS_MAX) throw error;
      await storage.clock.sleep(backoffMs(run, PAUSE, storage.random));
    }
  }
}
