/** The options that connect to a test database as the relay does. */
import type { DatabaseOptions } from '#database';
import type { TestDatabase } from './create-test-database.ts';

export function testDatabaseOptions(database: TestDatabase): DatabaseOptions {
  return {
    host: database.host,
    port: database.port,
    user: database.user,
    password: database.password,
    database: database.name,
    connectTimeoutMs: 10_000,
    readTimeoutMs: 30_000,
    ssl: null,
    connectionsMax: 4,
  };
}
