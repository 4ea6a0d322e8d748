/** A redis-server of the test's own, for tests that flush, pause, kill or restart it, with clients for looking inside. */
import { Redis } from 'ioredis';
import { type RedisOptions, type RedisServer, startRedis } from './start-redis.ts';

export interface OwnRedis extends RedisServer {
  /** Empties it. */
  flush(): Promise<void>;
  /** A plain connection for the test itself, closed with the server. */
  client(): Redis;
}

/** Nothing is saved, so a restart is empty. */
export async function startOwnRedis(options: RedisOptions = {}): Promise<OwnRedis> {
  const server = await startRedis(options);
  const clients: Redis[] = [];
  const client = () => {
    const redis = new Redis(server.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
    clients.push(redis);
    return redis;
  };
  return {
    ...server,
    // A restart changes it, so it is not copied.
    get pid() {
      return server.pid;
    },
    client,
    flush: async () => {
      await client().flushall();
    },
    stop: async () => {
      for (const redis of clients) redis.disconnect();
      await server.stop();
    },
  };
}
