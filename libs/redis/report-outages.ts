/** One log line when a connection is lost and one when it is back, however many attempts lie between. */
import type { Logger } from '#runtime';
import type { RedisClient } from './redis-client.ts';
import { redisErrorCode } from './redis-error-code.ts';

interface Outage {
  code: string | null;
}

/** What a client that is away last failed with: its commands say no more than that it is away. */
const outages = new WeakMap<object, Outage>();

/** Also keeps the process alive: an `error` event without a listener would end it. `use` says what the connection is for. */
export function reportOutages(redis: RedisClient, use: string, logger: Logger): void {
  const outage: Outage = { code: null };
  outages.set(redis, outage);
  let away = false;
  let wasReady = false;
  let attempts = 0;
  const report = (code: string) => {
    // That the connection closed is no cause once there is a better one.
    if (outage.code === null || code !== CLOSED) outage.code = code;
    if (away) return;
    away = true;
    logger.warn({ use, code }, wasReady ? 'redis connection lost, reconnecting' : 'redis cannot be reached, trying on');
  };
  redis.on('error', (error: unknown) => report(redisErrorCode(error)));
  // Not `close`: that one comes after our own disconnect too.
  redis.on('reconnecting', () => {
    attempts += 1;
    report(CLOSED);
  });
  redis.on('ready', () => {
    if (away) logger.info({ use, attempts }, 'redis is back');
    away = false;
    outage.code = null;
    attempts = 0;
    wasReady = true;
  });
}

const CLOSED = 'CLOSED';

/** Why a command had no usable answer: the code of the server's refusal, or what the connection last failed with. */
export function whyAway(redis: RedisClient, error: unknown): string {
  if (error instanceof Error && error.name === 'ReplyError') return redisErrorCode(error);
  const found = redis.status === 'ready' ? null : outages.get(redis)?.code;
  return found ?? redisErrorCode(error);
}
