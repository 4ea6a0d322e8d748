/**
 * Rank 1: sessions on a MySQL-protocol server, with deadlines, one error type and known session settings (READ COMMITTED,
 * autocommit, utf8mb4, strict, UTC). States of a session: idle in the pool, lent to one caller, broken (connection destroyed).
 * After a crash of ours the server rolls back whatever was open; after a crash of the server every session is broken and the
 * next caller gets a new one or DB_UNREACHABLE.
 */
export { asDatabaseError, errnoOf } from './as-database-error.ts';
export { detectEngine } from './detect-engine.ts';
export type { Engine, EngineKind } from './engine.ts';
export { FATAL_ERRORS, type FatalError } from './fatal-errors.ts';
export { inspectServer, type OpenTransaction, type ServerFacts } from './inspect-server.ts';
export { openSession } from './open-session.ts';
export type { DatabaseOptions, DatabaseSslOptions } from './options.ts';
export { createPool, type Pool, requireServer } from './pool.ts';
export { quoteIdentifier, quoteServerName, quoteTablePath } from './quote-identifier.ts';
export { foldSqliteName, quoteKnownName, quoteSqliteName } from './quote-sqlite-name.ts';
export { type BoundedRows, type ReadBounds, readBounded } from './read-bounded.ts';
export { type RetryTransientOptions, retryTransient } from './retry-transient.ts';
export { RowBytes } from './row-bytes.ts';
export { requireWritable } from './server-identity.ts';
export type { RunResult, Session } from './session.ts';
export { type SessionLimits, type SessionSetting, sessionSettings } from './session-settings.ts';
export { bytesLiteral, failWith, numberLiteral, OUT_OF_RANGE_ERRNO, textLiteral } from './sql-literals.ts';
export type { SqlValue } from './sql-value.ts';
export type { ByteSink, WireColumn } from './stream-bytes.ts';
export { rollback, transaction, transactionOn } from './transaction.ts';
