/** A database of the test file's own. */
import mysql from 'mysql2/promise';
import { type DatabaseAddress, testEnvironment } from './test-environment.ts';
import { uniqueName } from './unique-name.ts';

export interface TestDatabase extends DatabaseAddress {
  readonly name: string;
  /** Removes it with everything in it. */
  drop(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;

async function execute(address: DatabaseAddress, sql: string): Promise<void> {
  const { host, port, user, password } = address;
  const connection = await mysql.createConnection({ host, port, user, password, connectTimeout: CONNECT_TIMEOUT_MS });
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}

/** Creates an empty utf8mb4 database with a unique name on the test server, or on the one given. */
export async function createTestDatabase(
  options: { readonly prefix?: string; readonly address?: DatabaseAddress } = {},
): Promise<TestDatabase> {
  const address = options.address ?? testEnvironment().database;
  const name = uniqueName(options.prefix ?? 'krs');
  await execute(address, `CREATE DATABASE \`${name}\` CHARACTER SET utf8mb4`);
  const { host, port, user, password } = address;
  return {
    host,
    port,
    user,
    password,
    name,
    drop: () => execute(address, `DROP DATABASE IF EXISTS \`${name}\``),
  };
}
