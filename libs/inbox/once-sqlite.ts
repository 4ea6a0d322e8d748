/** `once` on a database of Node's own SQLite (node:sqlite): everything is synchronous there, the handler too. */
import type { DatabaseSync } from 'node:sqlite';
import { RelayError } from '#runtime';
import type { InboxKey, OnceOutcome } from './inbox-table.ts';

/** A database in which the caller has begun a transaction. */
export type SqliteTransaction = DatabaseSync;

let savepoints = 0;

function runHandler(handler: () => unknown): void {
  const answer = handler();
  if (typeof (answer as { then?: unknown } | null | undefined)?.then !== 'function') return;
  Promise.resolve(answer).catch(() => undefined);
  throw new RelayError(
    'CONFIG_INVALID',
    'a handler on SQLite must be synchronous: its transaction is the connection`s',
  );
}

function proveSameTransaction(db: DatabaseSync, savepoint: string): void {
  try {
    db.exec(`RELEASE ${savepoint}`);
  } catch (cause) {
    throw new RelayError(
      'DB_TRANSIENT',
      'the transaction of once() ended inside the handler: roll back and try again',
      {
        cause,
      },
    );
  }
}

export function onceOnSqlite(
  db: SqliteTransaction,
  key: InboxKey,
  wallMs: number,
  handler: () => unknown,
): OnceOutcome {
  if (!db.isTransaction) {
    throw new RelayError('CONFIG_INVALID', 'once() needs a transaction that the caller has begun on this connection');
  }
  savepoints = (savepoints + 1) % Number.MAX_SAFE_INTEGER;
  const savepoint = `kafka_row_sender_inbox_${savepoints}`;
  db.exec(`SAVEPOINT ${savepoint}`);
  const sql = `INSERT INTO ${key.table} (consumer, event_id, handled_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`;
  const { changes } = db.prepare(sql).run(key.consumer, key.eventId, Math.trunc(wallMs));
  if (changes === 0) return 'duplicate';
  try {
    runHandler(handler);
  } catch (thrown) {
    // See the MySQL side: never the id without the effect.
    if (db.isTransaction) db.exec(`ROLLBACK TO ${savepoint}`);
    throw thrown;
  }
  proveSameTransaction(db, savepoint);
  return 'handled';
}
