/** Trying what the relay does with Redis, step by step: each with its own outcome, within its own deadline. */
import { RelayError, silentLogger, systemClock, systemRandom, withDeadline } from '#runtime';
import { closeRedis } from './close-redis.ts';
import { openRedis } from './open-redis.ts';
import type { RedisClient } from './redis-client.ts';
import type { RedisTarget } from './redis-target.ts';
import { type Refusal, refusalOf } from './refused-command.ts';
import { whyAway } from './report-outages.ts';
import { waitUntilReady } from './wait-until-ready.ts';

export interface RedisTrial {
  /** What was tried, in words. */
  readonly what: string;
  /** Null: it worked. */
  readonly refusal: Refusal | null;
}

export const PROBE_DEADLINE_MS = 3_000;

/** Never rejects: what does not work is told. */
export async function tryStep(what: string, redis: RedisClient, work: () => Promise<unknown>): Promise<RedisTrial> {
  try {
    await withDeadline(work(), 2 * PROBE_DEADLINE_MS, what);
    return { what, refusal: null };
  } catch (error) {
    return { what, refusal: refusalOf(error, whyAway(redis, error)) };
  }
}

/** Runs `work` with a connection that is ready, and closes it. Rejects with REDIS_UNREACHABLE when there is none in time. */
export async function withProbe<T>(target: RedisTarget, work: (redis: RedisClient) => Promise<T>): Promise<T> {
  const use = 'kafka-row-sender-probe';
  const own = { target, use, commandTimeoutMs: PROBE_DEADLINE_MS, logger: silentLogger, random: systemRandom };
  const redis = openRedis(own);
  try {
    if (await waitUntilReady(redis, PROBE_DEADLINE_MS, systemClock)) return await work(redis);
    throw new RelayError('REDIS_UNREACHABLE', whyAway(redis, null));
  } finally {
    closeRedis(redis);
  }
}
