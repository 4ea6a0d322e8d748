/** Node's own SQLite, loaded when it is used first: a relay of a server's database needs none, and a Node may be built without. */
import { RelayError } from '#runtime';

/** Throws DB_UNSUPPORTED. */
export function loadSqlite(): typeof import('node:sqlite') {
  const sqlite = process.getBuiltinModule('node:sqlite');
  if (sqlite === undefined)
    throw new RelayError('DB_UNSUPPORTED', 'this Node was built without SQLite: use another one');
  return sqlite;
}
