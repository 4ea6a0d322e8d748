/** Faults of SQLite as the project's errors, by result code (https://www.sqlite.org/rescode.html), never by text. */
import { asRelayError, type ErrorCode, RelayError } from '#runtime';

const BUSY = 5;
const LOCKED = 6;
export const CONSTRAINT = 19;

/** Primary result codes. What is not here becomes INTERNAL: unknown means stop. */
const CODES: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  // SQLITE_ERROR: of statements that we wrote ourselves, so a table or column is not as it must be.
  [1, 'DB_SCHEMA'],
  // SQLITE_PERM, SQLITE_AUTH
  [3, 'DB_REFUSED'],
  [23, 'DB_REFUSED'],
  [BUSY, 'DB_TRANSIENT'],
  [LOCKED, 'DB_TRANSIENT'],
  // SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_PROTOCOL (locks), SQLITE_SCHEMA
  [7, 'DB_TRANSIENT'],
  [9, 'DB_TRANSIENT'],
  [15, 'DB_TRANSIENT'],
  [17, 'DB_TRANSIENT'],
  [8, 'DB_READ_ONLY'],
  // SQLITE_IOERR, SQLITE_CANTOPEN
  [10, 'DB_UNREACHABLE'],
  [14, 'DB_UNREACHABLE'],
  // SQLITE_CORRUPT: going on could only make it worse.
  [11, 'INVARIANT_BROKEN'],
  [13, 'DB_FULL'],
  // SQLITE_TOOBIG
  [18, 'DB_ROW_REFUSED'],
  // SQLITE_NOTADB
  [26, 'DB_UNSUPPORTED'],
]);

/** The primary result code, or null for what SQLite did not throw. */
export function resultCodeOf(thrown: unknown): number | null {
  if (!(thrown instanceof Error) || !('errcode' in thrown) || typeof thrown.errcode !== 'number') return null;
  return thrown.errcode & 0xff;
}

export const isBusy = (thrown: unknown): boolean => {
  const code = resultCodeOf(thrown);
  return code === BUSY || code === LOCKED;
};

/** `what` says where it happened. */
export function asSqliteError(thrown: unknown, what: string): RelayError {
  const resultCode = resultCodeOf(thrown);
  const code = resultCode === null ? undefined : CODES.get(resultCode);
  if (code === undefined || !(thrown instanceof Error)) return asRelayError(thrown);
  return new RelayError(code, `${what}: ${thrown.message}`, { cause: thrown, details: { sqliteCode: resultCode } });
}
