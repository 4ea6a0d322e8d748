/** The drill's own servers. It breaks them, so it never takes those of the environment. */
import { type KafkaServer, type MariadbServer, type RedisServer, startKafka, startMariadb, startRedis } from '#testkit';

export interface DrillServers {
  readonly mariadb: MariadbServer;
  readonly redis: RedisServer;
  readonly kafka: KafkaServer;
  stop(): Promise<void>;
}

/** Secrets look like nothing else, so that a log that holds one is found. */
export const SECRETS = { database: 'Xq7-database-secret', redis: 'Xq7-redis-secret' } as const;
export const REDIS_USER = 'relay';

export async function startServers(): Promise<DrillServers> {
  const started = await Promise.allSettled([
    startMariadb(),
    // The default user stays open for the drill itself.
    startRedis({ args: ['--user', REDIS_USER, 'on', `>${SECRETS.redis}`, '~*', '&*', '+@all'] }),
    startKafka(),
  ]);
  const stop = async () => {
    await Promise.all(started.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.stop() : undefined)));
  };
  const [mariadb, redis, kafka] = started;
  if (mariadb.status === 'fulfilled' && redis.status === 'fulfilled' && kafka.status === 'fulfilled') {
    return { mariadb: mariadb.value, redis: redis.value, kafka: kafka.value, stop };
  }
  await stop();
  throw started.find((outcome) => outcome.status === 'rejected')?.reason;
}
