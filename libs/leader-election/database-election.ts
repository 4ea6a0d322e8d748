/**
 * Leader election without Redis. Here silence does end a term: without the database nothing can be moved anyway, and a session
 * that does not answer may have lost its locks. The epoch fences as ever; it is also what keeps two nodes of a cluster apart whose
 * GET_LOCK is known to one node only (Galera).
 */
import type { Doorbell, LeaderElection } from '#outbox';
import { type Clock, type Logger, systemClock } from '#runtime';
import { createDatabaseLocks, type DatabaseLocksOptions } from './database-locks.ts';
import { createElection } from './election.ts';

export interface DatabaseElectionOptions extends DatabaseLocksOptions {
  /** How often a leader makes sure that its session still holds the lock, in milliseconds. */
  readonly checkIntervalMs: number;
  readonly logger: Logger;
  /** Told `leader-gone` after a clean release. */
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly clock?: Clock;
}

/** `tryAcquire` never rejects: a database that cannot be reached elects nobody. It keeps one session a source. */
export function createDatabaseElection(options: DatabaseElectionOptions): LeaderElection {
  const { checkIntervalMs, logger, doorbell } = options;
  return createElection({
    shared: null,
    database: createDatabaseLocks(options),
    ttlMs: checkIntervalMs,
    checkIntervalMs,
    clock: options.clock ?? systemClock,
    logger,
    doorbell,
  });
}
