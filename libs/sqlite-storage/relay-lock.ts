/**
 * One relay a file. The lock is an exclusive transaction held open on a small database beside the file, `<file>-relay`: the
 * operating system ends it with its process, however that dies, and it is never in the application's way. It is for order
 * only; a relay that lost it in some unheard-of way is still fenced by the epoch and by Kafka.
 */
import type { DatabaseSync } from 'node:sqlite';
import { asSqliteError, isBusy } from './as-sqlite-error.ts';
import { loadSqlite } from './load-sqlite.ts';

export interface RelayLock {
  release(): void;
}

export const relayLockPath = (path: string): string => `${path}-relay`;

/** Null when another relay has the file. Throws DB_UNREACHABLE or DB_REFUSED when the lock file cannot be made. */
export function tryRelayLock(path: string): RelayLock | null {
  const lockPath = relayLockPath(path);
  let db: DatabaseSync | null = null;
  try {
    db = new (loadSqlite().DatabaseSync)(lockPath, { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
    const held = db;
    return { release: () => held.close() };
  } catch (thrown) {
    db?.close();
    if (isBusy(thrown)) return null;
    throw asSqliteError(thrown, lockPath);
  }
}
