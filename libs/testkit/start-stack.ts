/** All three servers at once: those the environment names are used as they are, the others are started. */
import { ensureBinaries } from './ensure-binary.ts';
import { type KafkaServer, startKafka } from './start-kafka.ts';
import { type MariadbServer, startMariadb } from './start-mariadb.ts';
import { type RedisServer, startRedis } from './start-redis.ts';
import type { DatabaseAddress } from './test-environment.ts';

export interface StackOptions {
  readonly dir?: string;
  /** Servers stay when this process ends. */
  readonly detached?: boolean;
  readonly databasePort?: number;
  readonly redisPort?: number;
  readonly kafkaPort?: number;
  /** Where given addresses are looked up; `{}` starts everything. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface Stack {
  readonly database: DatabaseAddress;
  readonly redisUrl: string;
  readonly kafkaBootstrap: string;
  /** Handles of the servers started here; null for those that were given. */
  readonly mariadb: MariadbServer | null;
  readonly redis: RedisServer | null;
  readonly kafka: KafkaServer | null;
  /** The KRS_TEST_* variables that lead to these servers. */
  readonly variables: Readonly<Record<string, string>>;
  /** Stops what was started here. */
  stop(): Promise<void>;
}

const inside = (dir: string | undefined, name: string): { dir?: string } =>
  dir === undefined ? {} : { dir: `${dir}/${name}` };
const at = (port: number | undefined): { port?: number } => (port === undefined ? {} : { port });

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const env = options.env ?? process.env;
  const detached = options.detached ?? false;
  const given = { database: givenDatabase(env), redis: env.KRS_TEST_REDIS_URL, kafka: env.KRS_TEST_KAFKA };
  await ensureBinaries([
    ...(given.database ? [] : (['mariadbd', 'mysql_install_db'] as const)),
    ...(given.redis ? [] : (['redis-server'] as const)),
    ...(given.kafka ? [] : (['java'] as const)),
  ]);
  const started = await Promise.allSettled([
    given.database ? null : startMariadb({ detached, ...inside(options.dir, 'mariadb'), ...at(options.databasePort) }),
    given.redis ? null : startRedis({ detached, ...inside(options.dir, 'redis'), ...at(options.redisPort) }),
    given.kafka
      ? null
      : startKafka({
          detached,
          ...inside(options.dir, 'kafka'),
          ...(options.kafkaPort === undefined ? {} : { ports: [options.kafkaPort] }),
        }),
  ]);
  const stop = async () => {
    await Promise.all(started.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value?.stop() : undefined)));
  };
  const failed = started.find((outcome) => outcome.status === 'rejected');
  if (failed) {
    await stop();
    throw failed.reason;
  }
  const [mariadb, redis, kafka] = started.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : null)) as [
    MariadbServer | null,
    RedisServer | null,
    KafkaServer | null,
  ];
  return describe({
    database: given.database ?? (mariadb as MariadbServer),
    redisUrl: given.redis ?? (redis as RedisServer).url,
    kafkaBootstrap: given.kafka ?? (kafka as KafkaServer).bootstrap,
    mariadb,
    redis,
    kafka,
    stop,
  });
}

function givenDatabase(env: NodeJS.ProcessEnv): DatabaseAddress | null {
  if (!env.KRS_TEST_DB_HOST) return null;
  return {
    host: env.KRS_TEST_DB_HOST,
    port: Number(env.KRS_TEST_DB_PORT ?? 3306),
    user: env.KRS_TEST_DB_USER ?? 'app',
    password: env.KRS_TEST_DB_PASSWORD ?? 'app',
  };
}

function describe(stack: Omit<Stack, 'variables'>): Stack {
  const { database, redisUrl, kafkaBootstrap } = stack;
  return {
    ...stack,
    variables: {
      KRS_TEST_DB_HOST: database.host,
      KRS_TEST_DB_PORT: String(database.port),
      KRS_TEST_DB_USER: database.user,
      KRS_TEST_DB_PASSWORD: database.password,
      KRS_TEST_REDIS_URL: redisUrl,
      KRS_TEST_KAFKA: kafkaBootstrap,
    },
  };
}
