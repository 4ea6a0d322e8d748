/** Leader election in Redis: one connection of its own, whose commands give up before a third of the TTL. */
import type { Doorbell } from '#outbox';
import { closeRedis, openRedis } from '#redis';
import { type Clock, type Logger, type Random, systemClock, systemRandom } from '#runtime';
import { createElection, type ProvenElection } from './election.ts';
import { createRedisLocks } from './redis-locks.ts';

export interface RedisElectionOptions {
  readonly redis: { readonly url: string };
  /** Begins every key: `<prefix>:leader:<source>`. */
  readonly prefix: string;
  /** Time after which a dead leader's lock lapses, in whole milliseconds, at least 2000. */
  readonly ttlMs: number;
  readonly logger: Logger;
  /** Told `leader-gone` after a clean release. */
  readonly doorbell: Pick<Doorbell, 'ring'>;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A command's share of the TTL: below a third, so that a renewal has failed before the next one is due. */
const COMMAND_TIMEOUT_SHARE = 0.3;

/**
 * Starts connecting and returns at once; Redis being away is not an error, it only means that nobody is elected.
 * `tryAcquire` costs one round trip and logs nothing while somebody else leads, so call it about twice a second: a
 * standby then follows a killed leader within the TTL plus that pause. Throws CONFIG_INVALID when `ttlMs` is too small.
 */
export function createRedisElection(options: RedisElectionOptions): ProvenElection {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const { prefix, ttlMs, logger, doorbell } = options;
  const commandTimeoutMs = Math.floor(ttlMs * COMMAND_TIMEOUT_SHARE);
  const use = `${prefix}-election`;
  const redis = openRedis({
    url: options.redis.url,
    use,
    commandTimeoutMs,
    logger,
    random,
  });
  const locks = createRedisLocks({ redis, prefix, ttlMs, clock });
  try {
    return createElection({ locks, ttlMs, clock, logger, doorbell });
  } catch (error) {
    closeRedis(redis);
    throw error;
  }
}
