/** `once` with the transaction around it: for consumers that do nothing else in it. */
import type { Pool, PoolConnection } from 'mysql2/promise';
import { crashPoint } from '#runtime';
import type { OnceOutcome } from './inbox-table.ts';
import { isSqlite, type OnceOptions, once } from './once.ts';
import type { SqliteTransaction } from './once-sqlite.ts';

export type InboxDatabase = Pool | SqliteTransaction;
/** What the handler gets: a connection of the pool, or the SQLite database itself. */
export type InboxTx<D extends InboxDatabase> = D extends SqliteTransaction ? SqliteTransaction : PoolConnection;
/** Synchronous when the database is SQLite. */
export type InboxHandler<D extends InboxDatabase> = (tx: InboxTx<D>) => unknown;

async function onPool(pool: Pool, eventId: string, handler: InboxHandler<Pool>, options: OnceOptions) {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    const outcome = await once(connection, eventId, handler, options);
    crashPoint('inbox-before-commit');
    await connection.commit();
    crashPoint('inbox-after-commit');
    connection.release();
    return outcome;
  } catch (thrown) {
    // Never back into the pool with a transaction open.
    await connection.rollback().then(
      () => connection.release(),
      () => connection.destroy(),
    );
    throw thrown;
  }
}

function onSqlite(
  db: SqliteTransaction,
  eventId: string,
  handler: InboxHandler<SqliteTransaction>,
  options: OnceOptions,
) {
  // Immediate: a transaction that begins reading and then wants to write may be refused at once, whatever the timeout.
  db.exec('BEGIN IMMEDIATE');
  try {
    const outcome = once(db, eventId, handler as (tx: SqliteTransaction) => undefined, options);
    crashPoint('inbox-before-commit');
    db.exec('COMMIT');
    crashPoint('inbox-after-commit');
    return outcome;
  } catch (thrown) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw thrown;
  }
}

/**
 * Begins a transaction, runs `once` in it, commits. Rejects as `once` does, after a rollback. A commit whose answer is lost
 * rejects too; tried again, `once` finds out whether it was done.
 */
export async function transactOnce<D extends InboxDatabase>(
  database: D,
  eventId: string,
  handler: InboxHandler<D>,
  options: OnceOptions = {},
): Promise<OnceOutcome> {
  if (isSqlite(database)) return onSqlite(database, eventId, handler as InboxHandler<SqliteTransaction>, options);
  return await onPool(database, eventId, handler as InboxHandler<Pool>, options);
}
