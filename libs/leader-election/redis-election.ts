/** Leader election in Redis, with the database's lock beside it: one connection of its own, whose commands give up before a third of the TTL. */
import type { Doorbell } from '#outbox';
import { closeRedis, openRedis, type RedisTarget } from '#redis';
import { type Clock, type Logger, type Random, systemClock, systemRandom } from '#runtime';
import { createDatabaseLocks, type DatabaseLocksOptions } from './database-locks.ts';
import { createElection, type ProvenElection } from './election.ts';
import type { ElectionEvent } from './election-news.ts';
import { createRedisLocks } from './redis-locks.ts';

export interface RedisElectionOptions {
  readonly redis: RedisTarget;
  /** Begins every key: `<prefix>:leader:<source>`. */
  readonly prefix: string;
  /** Time after which a dead leader's lock lapses, in whole milliseconds, at least 2000. */
  readonly ttlMs: number;
  /** Elects while Redis does not, and keeps two leaders apart of whom only one is heard by Redis. Null: nobody does. */
  readonly database: (Omit<DatabaseLocksOptions, 'logger'> & { readonly checkIntervalMs: number }) | null;
  /** How long Redis may be silent before the database elects, in milliseconds; two TTLs when absent. */
  readonly fallbackAfterMs?: number;
  readonly logger: Logger;
  /** Told `leader-gone` after a clean release. */
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly onEvent?: (event: ElectionEvent) => void;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A command's share of the TTL: below a third, so that a renewal has failed before the next one is due. */
const COMMAND_TIMEOUT_SHARE = 0.3;
const CHECK_INTERVAL_MS = 1_000;

/**
 * Starts connecting and returns at once; Redis being away is not an error: after two TTLs the database elects.
 * `tryAcquire` costs one round trip and logs nothing while somebody else leads, so call it about twice a second: a
 * standby then follows a killed leader within the TTL plus that pause. Throws CONFIG_INVALID when `ttlMs` is too small.
 */
export function createRedisElection(options: RedisElectionOptions): ProvenElection {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const { prefix, ttlMs, logger, doorbell, database } = options;
  const commandTimeoutMs = Math.floor(ttlMs * COMMAND_TIMEOUT_SHARE);
  const use = `${prefix}-election`;
  const redis = openRedis({ target: options.redis, use, commandTimeoutMs, logger, random });
  const locks = createRedisLocks({ redis, prefix, ttlMs, clock, leaderFirst: database === null });
  try {
    return createElection({
      shared: locks,
      database: database && createDatabaseLocks({ ...database, logger }),
      ttlMs,
      ...(options.fallbackAfterMs === undefined ? {} : { fallbackAfterMs: options.fallbackAfterMs }),
      checkIntervalMs: database?.checkIntervalMs ?? CHECK_INTERVAL_MS,
      clock,
      logger,
      doorbell,
      onEvent: options.onEvent,
    });
  } catch (error) {
    closeRedis(redis);
    throw error;
  }
}
