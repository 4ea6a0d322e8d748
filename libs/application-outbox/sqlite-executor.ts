/** The port on a connection of Node's own SQLite or of better-sqlite3: both are synchronous. */
import { RelayError } from '#runtime';
import type { SqlParameter, SyncSqlExecutor } from './sql-executor.ts';

/** node:sqlite's `DatabaseSync`, or a better-sqlite3 `Database`, in which the caller has begun a transaction. */
export interface SqliteConnection {
  prepare(sql: string): { run(...parameters: SqlParameter[]): unknown };
  /** node:sqlite. */
  readonly isTransaction?: boolean;
  /** better-sqlite3. */
  readonly inTransaction?: boolean;
}

/** For `addSync`. Throws CONFIG_INVALID, before anything is written, when the connection is in no transaction. */
export function sqliteTransaction(connection: SqliteConnection): SyncSqlExecutor {
  return {
    dialect: 'sqlite',
    runSync(sql, parameters) {
      if (connection.isTransaction !== true && connection.inTransaction !== true) {
        throw new RelayError(
          'CONFIG_INVALID',
          'an outbox event needs a transaction begun on this connection: BEGIN IMMEDIATE first',
        );
      }
      return connection.prepare(sql).run(...parameters);
    },
  };
}
