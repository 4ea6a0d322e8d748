/** The port to the application's own transaction: one statement at a time, in whatever library it has. */

export type SqlDialect = 'mysql' | 'sqlite';
export type SqlParameter = string | number | null | Uint8Array;

/** A transaction that the application has begun and will commit. */
export interface SqlExecutor {
  readonly dialect: SqlDialect;
  /**
   * Rejects with the driver's or the library's own error. With the dialect `mysql` there are no parameters: the values are in the
   * text, in a form that no setting of the session changes (mysql-insert.ts). With `sqlite`, placeholders are `?`.
   */
  run(sql: string, parameters: readonly SqlParameter[]): Promise<unknown>;
}

/** The same where a database is synchronous (SQLite): nothing may come between the statements of its one transaction. */
export interface SyncSqlExecutor {
  readonly dialect: SqlDialect;
  runSync(sql: string, parameters: readonly SqlParameter[]): unknown;
}
