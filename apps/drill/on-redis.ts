/** Redis as the drill asks it: as the default user, beside the proxies, once. */
import type { Redis } from 'ioredis';
import { askRedis } from '#testkit';
import type { Scene } from './scene.ts';

export const onRedis = <T>(scene: Scene, act: (redis: Redis) => Promise<T>): Promise<T> =>
  askRedis(scene.servers.redis.url, act);
