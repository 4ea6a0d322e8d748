/** Redis as the drill asks it: as the default user, beside the proxies, once. */
import { Redis } from 'ioredis';
import type { Scene } from './scene.ts';

export async function onRedis<T>(scene: Scene, act: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(scene.servers.redis.url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await act(redis);
  } finally {
    redis.disconnect();
  }
}
