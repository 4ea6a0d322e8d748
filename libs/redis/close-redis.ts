/** Closes a connection without waiting for Redis. */
import type { RedisClient } from './redis-client.ts';

/** Drops the connection and ends the reconnecting. Nothing is flushed: callers await their commands before. */
export function closeRedis(redis: RedisClient): void {
  redis.disconnect(false);
}
