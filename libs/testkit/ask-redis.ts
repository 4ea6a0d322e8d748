/** Asks a Redis something over a connection of its own, once: nothing is tried again. */
import { Redis } from 'ioredis';

/** `enableReadyCheck`: INFO first, which a sentinel answers in a way of its own. */
export async function askRedis<T>(url: string, ask: (redis: Redis) => Promise<T>, enableReadyCheck = true): Promise<T> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, enableReadyCheck });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}
