/** What is known of the application's table: its columns, and how it hands out row ids. */
import { RelayError } from '#runtime';
import type { SqliteStatements } from './sqlite-file.ts';
import { quoteIdentifier } from './tables.ts';

export interface SourceColumn {
  readonly name: string;
  /** Declared JSON: embedded where it parses. */
  readonly json: boolean;
}

export interface SourceTable {
  /** As the file has it. */
  readonly name: string;
  readonly quotedName: string;
  readonly columns: readonly SourceColumn[];
  /** The column that is the row id by another name, or null. */
  readonly rowidColumn: string | null;
  readonly autoincrement: boolean;
}

export const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** Throws DB_SCHEMA when the table is not there, is a view or virtual, or has no row ids. */
export function inspectTable(sql: SqliteStatements, table: string): SourceTable {
  const quotedName = quoteIdentifier(table);
  const found = sql.get<{ name: string; type: string; wr: number }>(
    "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE",
    table,
  );
  if (found === undefined) throw new RelayError('DB_SCHEMA', `there is no table ${table} in the file: make it first`);
  if (found.type !== 'table' || found.wr !== 0) {
    const what = found.type === 'table' ? 'a table WITHOUT ROWID' : `a ${found.type}`;
    throw new RelayError('DB_SCHEMA', `${table} is ${what}: a source must be a table with row ids`);
  }
  const columns = sql.all<{ name: string; type: string; pk: number }>(
    // Not the hidden ones of virtual tables; generated columns (2, 3) are read like others.
    'SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1',
    found.name,
  );
  const key = columns.filter(({ pk }) => pk > 0);
  const [only] = key;
  const isAlias = key.length === 1 && only !== undefined && sameName(only.type, 'INTEGER');
  const text = sql.get<{ sql: string }>("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", found.name);
  return {
    name: found.name,
    quotedName,
    columns: columns.map(({ name, type }) => ({ name, json: sameName(type, 'JSON') })),
    rowidColumn: isAlias ? only.name : null,
    autoincrement: isAlias && /\bAUTOINCREMENT\b/i.test(text?.sql ?? ''),
  };
}

/** The place of a column in `table.columns`. Throws DB_SCHEMA when there is none of that name. */
export function placeOf(table: SourceTable, wanted: string, role: string): number {
  const place = table.columns.findIndex(({ name }) => sameName(name, wanted));
  if (place >= 0) return place;
  throw new RelayError(
    'DB_SCHEMA',
    `source table ${table.name} has no column ${wanted} (${role}): correct the setting or the table`,
  );
}

/** Throws DB_SCHEMA when a column that used to be delivered is gone: readers would miss it without a word. */
export function refuseLostColumn(before: SourceTable, now: SourceTable): void {
  const gone = before.columns.find(({ name }) => !now.columns.some((column) => sameName(column.name, name)));
  if (gone === undefined) return;
  throw new RelayError(
    'DB_SCHEMA',
    `column ${gone.name} of source table ${now.name} was dropped or renamed: put it back, or restart to go on without it`,
  );
}
