/** Closes a connection without waiting for Redis. */
import type { Redis } from 'ioredis';

/** Drops the connection and ends the reconnecting. Nothing is flushed: callers await their commands before. */
export function closeRedis(redis: Redis): void {
  redis.disconnect(false);
}
