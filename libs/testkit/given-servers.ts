/** The servers a user has given, by the names of the tests or by those of the executables' own settings. */

/** Settings of the executables that say where a server is, and the test variables that mean the same. */
const SAME: Readonly<Record<string, string>> = {
  KAFKA_ROW_SENDER_DB_HOST: 'KRS_TEST_DB_HOST',
  KAFKA_ROW_SENDER_DB_PORT: 'KRS_TEST_DB_PORT',
  KAFKA_ROW_SENDER_DB_USER: 'KRS_TEST_DB_USER',
  KAFKA_ROW_SENDER_DB_PASSWORD: 'KRS_TEST_DB_PASSWORD',
  KAFKA_ROW_SENDER_REDIS_URL: 'KRS_TEST_REDIS_URL',
  KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: 'KRS_TEST_KAFKA',
};

/**
 * The environment for `startStack`: KRS_TEST_* as they are, completed from KAFKA_ROW_SENDER_*. A database is taken as a
 * whole from the one or from the other, so that a host never meets the other's password.
 */
export function givenServers(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const given: NodeJS.ProcessEnv = { ...env };
  const databaseGiven = Boolean(env.KRS_TEST_DB_HOST);
  for (const [setting, variable] of Object.entries(SAME)) {
    if (databaseGiven && variable.startsWith('KRS_TEST_DB_')) continue;
    if (!given[variable] && env[setting]) given[variable] = env[setting];
  }
  return given;
}
