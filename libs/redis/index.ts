/**
 * Rank 1: how this project opens a Redis connection, in one place.
 *
 * What it promises: a command fails at once while Redis is away and never queues up, every command has a deadline, a
 * dead socket is noticed and replaced, reconnecting goes on for ever with a small bounded delay, and neither a lost
 * connection nor a refusal ever crashes the process. Redis holds no truth here (I7), so failing fast is always right.
 */
export { closeRedis } from './close-redis.ts';
export { inspectRedis, type RedisFacts } from './inspect-redis.ts';
export { connectTo, openRedis, type RedisConnection } from './open-redis.ts';
export { PROBE_DEADLINE_MS, type RedisTrial, tryStep, withProbe } from './probe.ts';
export { RECONNECT_MAX_MS, reconnectDelayMs } from './reconnect-delay.ts';
export type { RedisClient } from './redis-client.ts';
export { redisErrorCode } from './redis-error-code.ts';
export { redisRemedy } from './redis-remedy.ts';
export { type RedisLogin, type RedisTarget, type RedisTls, targetOf } from './redis-target.ts';
export type { Refusal } from './refused-command.ts';
export { whyAway } from './report-outages.ts';
export { type RefusalReport, reportRefusals } from './report-refusals.ts';
export { waitUntilReady } from './wait-until-ready.ts';
