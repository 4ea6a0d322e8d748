/** Reads what information_schema knows of a source table, and refuses a table that cannot be followed safely. */
import { type Engine, type Pool, quoteIdentifier, type SqlValue } from '#database';
import { RelayError } from '#runtime';

export interface ColumnFacts {
  readonly name: string;
  /** In lower case, without length: `bigint`, `varchar`. */
  readonly dataType: string;
  readonly autoIncrement: boolean;
  /** Left out of `SELECT *` by the server, and so left out of the JSON unless listed. */
  readonly invisible: boolean;
  readonly float: boolean;
  /** MariaDB's JSON: LONGTEXT whose CHECK is exactly json_valid(column). */
  readonly checkedJson: boolean;
}

export interface TableFacts {
  /** As configured. */
  readonly name: string;
  readonly quotedName: string;
  /** `InnoDB`, `MyISAM`, ..: only InnoDB has the row locks that gap mode `locks` stands on. */
  readonly storageEngine: string;
  /** In table order. */
  readonly columns: readonly ColumnFacts[];
  /** The index that reads and probes must use, or null where the engine takes no hint. */
  readonly forceIndex: string | null;
  /**
   * Indexes that an INSERT may have to wait at, with its id taken, before it gets to the watermark's: 0 where the watermark
   * leads the primary key, which InnoDB writes first.
   */
  readonly indexesBefore: number;
  readonly warnings: readonly string[];
}

interface IndexFacts {
  readonly name: string;
  readonly unique: boolean;
  readonly columns: readonly string[];
}

const INTEGERS: ReadonlySet<string> = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint']);
const COLUMNS_MAX = 4096;

const refuse = (message: string): RelayError => new RelayError('DB_SCHEMA', message);

/** The condition that names a table of this database, with its values. A dot belongs to the name. */
export const whereTable = (table: string): { readonly condition: string; readonly values: readonly SqlValue[] } => ({
  condition: 'table_schema = DATABASE() AND table_name = ?',
  values: [table],
});

async function readJsonChecks(pool: Pool, engine: Engine, table: string): Promise<ReadonlySet<string>> {
  if (engine.kind !== 'mariadb') return new Set();
  const { condition, values } = whereTable(table);
  const checks = await pool.query<{ clause: string }>(
    `SELECT check_clause AS clause FROM information_schema.check_constraints
      WHERE ${condition.replace('table_schema', 'constraint_schema')} LIMIT ${COLUMNS_MAX}`,
    values,
  );
  const names = checks.map(({ clause }) => /^json_valid\(`((?:[^`]|``)+)`\)$/i.exec(clause)?.[1]);
  return new Set(names.flatMap((name) => (name === undefined ? [] : [name.replaceAll('``', '`')])));
}

async function readColumns(pool: Pool, engine: Engine, table: string): Promise<readonly ColumnFacts[]> {
  const { condition, values } = whereTable(table);
  const rows = await pool.query<{ name: string; type: string; extra: string }>(
    `SELECT column_name AS name, data_type AS type, extra AS extra FROM information_schema.columns
      WHERE ${condition} ORDER BY ordinal_position LIMIT ${COLUMNS_MAX}`,
    values,
  );
  const jsonChecks = await readJsonChecks(pool, engine, table);
  return rows.map(({ name, type, extra }) => {
    const dataType = type.toLowerCase();
    return {
      name,
      dataType,
      autoIncrement: /auto_increment/i.test(extra),
      invisible: /invisible/i.test(extra),
      float: dataType === 'float',
      checkedJson: jsonChecks.has(name),
    };
  });
}

async function readIndexes(pool: Pool, engine: Engine, table: string): Promise<readonly IndexFacts[]> {
  const { condition, values } = whereTable(table);
  // An index the server ignores cannot be named in a hint.
  const usable = { mariadb: "ignored = 'NO'", mysql: "is_visible = 'YES'", tidb: "is_visible = 'YES'" };
  const filter = engine.kind in usable ? ` AND ${usable[engine.kind as keyof typeof usable]}` : '';
  const rows = await pool.query<{ name: string; column: string; duplicates: number | string }>(
    `SELECT index_name AS name, column_name AS \`column\`, non_unique AS duplicates
       FROM information_schema.statistics
      WHERE ${condition} AND index_type = 'BTREE'${filter} ORDER BY index_name, seq_in_index LIMIT ${COLUMNS_MAX}`,
    values,
  );
  const byName = new Map<string, { name: string; unique: boolean; columns: string[] }>();
  for (const { name, column, duplicates } of rows) {
    const index = byName.get(name) ?? { name, unique: Number(duplicates) === 0, columns: [] };
    index.columns.push(column);
    byName.set(name, index);
  }
  return [...byName.values()];
}

/**
 * The index that shows an insert under way soonest: the primary key, then the tightest. InnoDB writes the row into its primary
 * key first and locks it there; into another index it comes only after it has waited for every lock on its way, such as
 * that of a foreign key's parent or of somebody who has just freed the same unique value.
 */
function pickIndex(indexes: readonly IndexFacts[], column: string): IndexFacts | null {
  const leading = indexes.filter((index) => index.columns[0] === column);
  const sole = leading.find((index) => index.unique && index.columns.length === 1);
  return leading.find((index) => index.name === 'PRIMARY') ?? sole ?? leading[0] ?? null;
}

function checkWatermark(table: string, column: ColumnFacts | undefined, wanted: string): ColumnFacts {
  if (!column) {
    throw refuse(
      `source table ${table} has no column ${wanted}: set the watermark column to its AUTO_INCREMENT column`,
    );
  }
  if (!INTEGERS.has(column.dataType)) {
    throw refuse(
      `watermark column ${column.name} of ${table} is ${column.dataType}, not an integer: name its AUTO_INCREMENT column`,
    );
  }
  if (!column.autoIncrement) {
    throw refuse(
      `watermark column ${column.name} of ${table} is not AUTO_INCREMENT: name the AUTO_INCREMENT column or add one`,
    );
  }
  return column;
}

/** SingleStore's columnstores have keys that information_schema describes otherwise; there we can only warn. */
function checkIndexes(table: string, indexes: readonly IndexFacts[], watermark: string, engine: Engine) {
  const warnings: string[] = [];
  const complain = (text: string): void => {
    if (engine.kind !== 'singlestore') throw refuse(text);
    warnings.push(text);
  };
  if (!indexes.some((index) => index.name === 'PRIMARY')) {
    complain(`source table ${table} has no primary key: add one`);
  }
  const index = pickIndex(indexes, watermark);
  if (index === null) {
    complain(
      `watermark column ${watermark} of ${table} leads no index, so every poll would scan the table: add an index on it`,
    );
  } else if (!indexes.some(({ unique, columns }) => unique && columns.length === 1 && columns[0] === watermark)) {
    warnings.push(
      `watermark column ${watermark} of ${table} is not unique: a value used twice stops this source; make it unique`,
    );
  }
  const forceIndex = engine.kind === 'singlestore' ? null : (index?.name ?? null);
  return { forceIndex, indexesBefore: index?.name === 'PRIMARY' ? 0 : indexes.length - 1, warnings };
}

/**
 * Rejects with DB_SCHEMA, or SOURCE_TABLE_MISSING, in one line that says what is wrong, where, and what to do. `refuseColumns` may throw
 * before anything is wrong with them.
 */
export async function inspectTable(
  pool: Pool,
  name: string,
  watermarkColumn: string,
  refuseColumns: (columns: readonly ColumnFacts[]) => void = () => undefined,
): Promise<TableFacts> {
  const quotedName = quoteIdentifier(name);
  const engine = await pool.engine();
  const { condition, values } = whereTable(name);
  const [table] = await pool.query<{ type: string; engine: string | null }>(
    `SELECT table_type AS type, engine AS engine FROM information_schema.tables WHERE ${condition} LIMIT 1`,
    values,
  );
  if (!table) {
    const what = `source table ${name} does not exist, or this user may not read it: create it or correct the setting`;
    const dotted = name.includes('.')
      ? '; give the name alone: the database is DB_NAME, other databases are not read'
      : '';
    throw new RelayError('SOURCE_TABLE_MISSING', what + dotted);
  }
  if (/view/i.test(table.type)) {
    throw refuse(
      `source table ${name} is a view: name the table itself; generated columns give its columns another form (docs/types.md)`,
    );
  }
  const columns = await readColumns(pool, engine, name);
  refuseColumns(columns);
  const wanted = watermarkColumn.toLowerCase();
  const found = columns.find((column) => column.name.toLowerCase() === wanted);
  const watermark = checkWatermark(name, found, watermarkColumn);
  const indexes = await readIndexes(pool, engine, name);
  const { forceIndex, indexesBefore, warnings } = checkIndexes(name, indexes, watermark.name, engine);
  return { name, quotedName, storageEngine: table.engine ?? 'unknown', columns, forceIndex, indexesBefore, warnings };
}
