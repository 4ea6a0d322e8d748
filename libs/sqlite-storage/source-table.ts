/**
 * What is known of the application's table: its columns, the column that is its row id, and how it hands out row ids. A table
 * and its columns may have any name. So every statement names a row by the column found here, quoted: a name such as `rowid`
 * means the row id only as long as no column has it. PRAGMA statements ask, not the functions `pragma_..`, which a table of
 * the application could hide.
 */
import { foldSqliteName, quoteKnownName, quoteSqliteName } from '#database';
import type { DeliveredColumn } from '#outbox';
import { RelayError } from '#runtime';
import { hasAutoincrement } from './has-autoincrement.ts';
import type { SqliteStatements } from './sqlite-file.ts';

export interface SourceColumn {
  readonly name: string;
  /** Declared JSON: embedded where it parses. */
  readonly json: boolean;
}

export interface SourceTable {
  /** As the file has it. */
  readonly name: string;
  /** With its schema, for statements. */
  readonly quotedName: string;
  readonly columns: readonly SourceColumn[];
  /** The column that is the row id (`INTEGER PRIMARY KEY`), or null. */
  readonly rowidColumn: string | null;
  /** What a statement calls the row id: its column, or else an alias that no column hides; null when all are hidden. */
  readonly rowid: string | null;
  readonly autoincrement: boolean;
}

export const sameName = (a: string, b: string): boolean => foldSqliteName(a) === foldSqliteName(b);

/** For a SELECT: all columns, in the order of `table.columns`. */
export const selectListOf = ({ columns }: SourceTable): string =>
  columns.map(({ name }) => quoteKnownName(name)).join(', ');

const OWN_TABLES = /^sqlite_/i;
const HIDDEN_OF_VIRTUAL = 1;

/** Throws DB_SCHEMA when the table is not there, is a view or virtual, is SQLite's own, or has no row ids. */
export function inspectTable(sql: SqliteStatements, table: string): SourceTable {
  const quotedTable = quoteSqliteName(table);
  const found = sql.get<{ name: string; type: string; wr: number }>(`PRAGMA main.table_list(${quotedTable})`);
  if (found === undefined) {
    throw new RelayError('SOURCE_TABLE_MISSING', `there is no table ${table} in the file: make it first`);
  }
  if (found.type !== 'table' || found.wr !== 0 || OWN_TABLES.test(found.name)) {
    const what =
      found.type !== 'table'
        ? `a ${found.type}`
        : found.wr !== 0
          ? 'a table WITHOUT ROWID'
          : 'a table of SQLite itself';
    throw new RelayError('DB_SCHEMA', `${table} is ${what}: a source must be a table of yours with row ids`);
  }
  const columns = sql
    .all<{ name: string; type: string; pk: number; hidden: number }>(`PRAGMA main.table_xinfo(${quotedTable})`)
    // Generated columns (2 and 3) are read like others.
    .filter(({ hidden }) => hidden !== HIDDEN_OF_VIRTUAL);
  const rowidColumn = rowidColumnOf(sql, quotedTable, columns);
  const text = sql.get<{ sql: string }>(
    "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?",
    found.name,
  );
  return {
    name: found.name,
    quotedName: `main.${quoteKnownName(found.name)}`,
    columns: columns.map(({ name, type }) => ({ name, json: sameName(type, 'JSON') })),
    rowidColumn,
    rowid: rowidColumn === null ? aliasOf(columns) : quoteKnownName(rowidColumn),
    autoincrement: rowidColumn !== null && hasAutoincrement(text?.sql ?? ''),
  };
}

/**
 * A primary key without an index of its own is the row id. The declared type alone does not say so: `INTEGER PRIMARY KEY DESC`
 * is a column beside the row id.
 */
function rowidColumnOf(
  sql: SqliteStatements,
  quotedTable: string,
  columns: readonly { readonly name: string; readonly pk: number }[],
): string | null {
  const [key, ...more] = columns.filter(({ pk }) => pk > 0);
  if (key === undefined || more.length > 0) return null;
  const indexes = sql.all<{ origin: string }>(`PRAGMA main.index_list(${quotedTable})`);
  return indexes.some(({ origin }) => origin === 'pk') ? null : key.name;
}

/** SQLite's three names of a row id without a column; each means a column where one has that name. */
function aliasOf(columns: readonly { readonly name: string }[]): string | null {
  return ['_rowid_', 'rowid', 'oid'].find((alias) => !columns.some(({ name }) => sameName(name, alias))) ?? null;
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

/** Throws SOURCE_COLUMNS_GONE when one of them is gone: readers would miss it without a word. */
export function refuseGoneColumns(delivered: readonly DeliveredColumn[] | null, now: SourceTable): void {
  const gone = delivered?.find(({ name }) => !now.columns.some((column) => column.name === name));
  if (gone === undefined) return;
  throw new RelayError(
    'SOURCE_COLUMNS_GONE',
    `column ${gone.name} of source table ${now.name} was delivered and was dropped or renamed`,
  );
}

/**
 * The last id that SQLite keeps of a table with AUTOINCREMENT; null when it keeps none, as before the first insert. The
 * application can change or delete it like any row, and then SQLite hands ids out again.
 */
export function lastIdKept(sql: SqliteStatements, { name }: SourceTable): bigint | null {
  // SQLite takes the first row of that name, and whatever stands there as an integer.
  const select = 'SELECT CAST(seq AS INTEGER) FROM main.sqlite_sequence WHERE name = ? ORDER BY rowid LIMIT 1';
  const row = sql.prepare(select).get(name) as unknown as [bigint | null] | undefined;
  return row?.[0] ?? null;
}
