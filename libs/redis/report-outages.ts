/** One log line when a connection is lost and one when it is back, however many attempts lie between. */
import type { Redis } from 'ioredis';
import type { Logger } from '#runtime';
import { redisErrorCode } from './redis-error-code.ts';

/** Also keeps the process alive: an `error` event without a listener would end it. `use` says what the connection is for. */
export function reportOutages(redis: Redis, use: string, logger: Logger): void {
  let away = false;
  let wasReady = false;
  const report = (code: string) => {
    if (away) return;
    away = true;
    logger.warn({ use, code }, wasReady ? 'redis connection lost, reconnecting' : 'redis cannot be reached, trying on');
  };
  redis.on('error', (error: unknown) => report(redisErrorCode(error)));
  // Not `close`: that one comes after our own disconnect too.
  redis.on('reconnecting', () => report('CLOSED'));
  redis.on('ready', () => {
    if (away) logger.info({ use }, 'redis is back');
    away = false;
    wasReady = true;
  });
}
