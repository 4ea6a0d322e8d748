/** The drill's own servers. It breaks them, so it never takes those of the environment. */
import { type KafkaServer, type MariadbServer, type RedisServer, startKafka, startMariadb, startRedis } from '#testkit';
import type { Clocks } from './stages/clocks.ts';
import type { KafkaLogin } from './stages/kafka-login.ts';
import type { SmallDisk } from './stages/small-disk.ts';

export interface DrillServers {
  readonly mariadb: MariadbServer;
  readonly redis: RedisServer;
  readonly kafka: KafkaServer;
  /** Where each server keeps its data, on the stage of full disks. */
  readonly disks?: Readonly<Record<'database' | 'kafka' | 'redis', SmallDisk>>;
  /** On the stage of clocks. */
  readonly clocks?: Clocks;
  /** Where the broker asks the processes for a login. */
  readonly kafkaLogin?: KafkaLogin;
  stop(): Promise<void>;
}

/** Secrets look like nothing else, so that a log that holds one is found. */
export const SECRETS = {
  database: 'Xq7-database-secret',
  redis: 'Xq7-redis-secret',
  kafka: 'Xq7-kafka-secret',
} as const;
export const REDIS_USER = 'relay';

/** The default user stays open for the drill itself. */
export const redisUserArguments = (): string[] => [
  '--user',
  REDIS_USER,
  'on',
  `>${SECRETS.redis}`,
  '~*',
  '&*',
  '+@all',
];

/** Nobody is kept out until a rule says so. */
export const WITH_ACLS = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': true,
} as const;

export async function startServers(): Promise<DrillServers> {
  const started = await Promise.allSettled([
    startMariadb(),
    startRedis({ args: redisUserArguments() }),
    startKafka({ properties: WITH_ACLS }),
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
