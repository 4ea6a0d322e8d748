/** The addresses server tests use: read from the environment in this one place. */

export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface TestEnvironment {
  readonly database: DatabaseAddress;
  readonly redisUrl: string;
  /** `host:port`, comma-separated when there are several brokers. */
  readonly kafkaBootstrap: string;
  readonly kafkaBrokers: readonly string[];
}

const REQUIRED = ['KRS_TEST_DB_HOST', 'KRS_TEST_DB_PORT', 'KRS_TEST_REDIS_URL', 'KRS_TEST_KAFKA'] as const;

/**
 * The servers to test against. `npm test` sets the variables; for a single file, `npm run stack -- env` prints them.
 * Throws with one line naming what is missing: a server test never skips itself silently.
 */
export function testEnvironment(env: NodeJS.ProcessEnv = process.env): TestEnvironment {
  const missing = REQUIRED.filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new Error(
      `server tests need ${missing.join(', ')}: run them by npm test, or set them by eval "$(npm run -s stack -- env)"`,
    );
  }
  const kafkaBootstrap = env.KRS_TEST_KAFKA as string;
  return {
    database: {
      host: env.KRS_TEST_DB_HOST as string,
      port: Number(env.KRS_TEST_DB_PORT),
      user: env.KRS_TEST_DB_USER ?? 'app',
      password: env.KRS_TEST_DB_PASSWORD ?? 'app',
    },
    redisUrl: env.KRS_TEST_REDIS_URL as string,
    kafkaBootstrap,
    kafkaBrokers: kafkaBootstrap.split(','),
  };
}
