/** The port to the application's own transaction: one statement with placeholders at a time, in whatever library it has. */

export type SqlDialect = 'mysql' | 'sqlite';
export type SqlParameter = string | number | null | Uint8Array;

/** A transaction that the application has begun and will commit; placeholders are `?`. */
export interface SqlExecutor {
  readonly dialect: SqlDialect;
  /** Rejects with the driver's or the library's own error. */
  run(sql: string, parameters: readonly SqlParameter[]): Promise<unknown>;
}

/** The same where a database is synchronous (SQLite): nothing may come between the statements of its one transaction. */
export interface SyncSqlExecutor {
  readonly dialect: SqlDialect;
  runSync(sql: string, parameters: readonly SqlParameter[]): unknown;
}

/** ER_DUP_ENTRY; ER_DUP_ENTRY_WITH_KEY_NAME. */
const MYSQL_DUPLICATE: ReadonlySet<unknown> = new Set([1062, 1586]);
/** SQLITE_CONSTRAINT_UNIQUE and _PRIMARYKEY, extended result codes. */
const SQLITE_DUPLICATE: ReadonlySet<unknown> = new Set([2067, 1555]);
/** Libraries wrap the driver's error, some twice; never deeper than this. */
const WRAPPERS_MAX = 5;

interface WrappedError {
  readonly errno?: unknown;
  readonly errcode?: unknown;
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly cause?: unknown;
  readonly driverError?: unknown;
  readonly meta?: { readonly driverAdapterError?: unknown };
}

/** A unique key refused the row: told by the driver's number, through the wrappers of the libraries there are adapters for. */
export function isDuplicateKey(thrown: unknown): boolean {
  let error = thrown as WrappedError | null | undefined;
  for (let depth = 0; depth < WRAPPERS_MAX && typeof error === 'object' && error !== null; depth += 1) {
    if (MYSQL_DUPLICATE.has(error.errno) || SQLITE_DUPLICATE.has(error.errcode)) return true;
    // Prisma's adapters have the server's number as text.
    if (MYSQL_DUPLICATE.has(Number(error.originalCode))) return true;
    error = (error.driverError ?? error.meta?.driverAdapterError ?? error.cause) as WrappedError | null | undefined;
  }
  return false;
}
