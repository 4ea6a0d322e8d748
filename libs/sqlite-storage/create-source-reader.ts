/**
 * The source port on a table of the file, mode `append`: rows stay. SQLite has one writer at a time and gives out an
 * AUTOINCREMENT id inside the transaction that uses it, so ids commit in order and a missing one was deleted or skipped
 * by its own transaction: gaps never open.
 */
import { quoteKnownName } from '#database';
import type {
  BatchLimits,
  DeliveredColumn,
  PositionRange,
  SourceBatch,
  SourceDefinition,
  SourceReader,
  SourceRow,
  SourceSnapshot,
} from '#outbox';
import { isIn } from '#outbox';
import { RelayError } from '#runtime';
import { bytesOf, type ColumnValue, rowJson, textOf } from './column-values.ts';
import { RowCollector } from './row-collector.ts';
import {
  inspectTable,
  lastIdKept,
  placeOf,
  refuseGoneColumns,
  type SourceColumn,
  type SourceTable,
  sameName,
  selectListOf,
} from './source-table.ts';
import type { SqliteFile, SqliteStatements } from './sqlite-file.ts';

export interface SourceReaderOptions {
  readonly file: SqliteFile;
  readonly source: SourceDefinition;
  /** Columns delivered so far; null or absent: not known. */
  readonly delivered?: readonly DeliveredColumn[] | null;
}

/** Inspects the table. Rejects with DB_SCHEMA when table, watermark column or a named column is not as it must be. */
export async function createSourceReader(options: SourceReaderOptions): Promise<SourceReader> {
  const plan = await options.file.read((sql) => planOf(sql, options.source, options.delivered ?? null));
  return new TableReader(options, plan);
}

interface Plan {
  readonly table: SourceTable;
  /** The watermark column, quoted. */
  readonly id: string;
  /** Places in the row, which is all the table's columns. */
  readonly json: readonly { readonly column: SourceColumn; readonly at: number }[];
  readonly position: number;
  readonly key: number | null;
  readonly topic: number | null;
}

function planOf(sql: SqliteStatements, source: SourceDefinition, delivered: readonly DeliveredColumn[] | null): Plan {
  const table = inspectTable(sql, source.table);
  const asked = ({ name }: DeliveredColumn) => source.columns?.some((one) => sameName(one, name)) ?? true;
  refuseGoneColumns(delivered?.filter(asked) ?? null, table);
  const position = placeOf(table, source.watermarkColumn, 'watermark column');
  const { rowidColumn, autoincrement } = table;
  if (rowidColumn === null || !sameName(rowidColumn, source.watermarkColumn) || !autoincrement) {
    throw new RelayError(
      'DB_SCHEMA',
      `${source.watermarkColumn} of ${table.name} is not INTEGER PRIMARY KEY AUTOINCREMENT, so SQLite would hand its numbers out again after deletes: make it so, or use source mode consume`,
    );
  }
  const listed = source.columns ?? table.columns.map(({ name }) => name);
  const places = [...new Set(listed.map((name) => placeOf(table, name, 'listed column')))];
  return {
    table,
    id: quoteKnownName(rowidColumn),
    json: places.map((at) => ({ column: table.columns[at] as SourceColumn, at })),
    position,
    key: source.keyColumn === null ? null : placeOf(table, source.keyColumn, 'key column'),
    topic: source.topicColumn === null ? null : placeOf(table, source.topicColumn, 'topic column'),
  };
}

class TableReader implements SourceReader {
  readonly gapMode = 'ordered';
  readonly graceMs = 0;
  readonly #file: SqliteFile;
  readonly #source: SourceDefinition;
  #columns: readonly DeliveredColumn[];

  constructor({ file, source }: SourceReaderOptions, plan: Plan) {
    this.#file = file;
    this.#source = source;
    this.#columns = columnsOf(plan);
  }

  get columns(): readonly DeliveredColumn[] {
    return this.#columns;
  }

  async lowestIn(): Promise<bigint | null> {
    const [lowest] = await this.committedIn([{ from: POSITION_MIN, to: POSITION_MAX }], 1);
    return lowest ?? null;
  }

  readAfter(after: bigint, limits: BatchLimits): Promise<SourceBatch> {
    return this.#read([{ from: after + 1n, to: POSITION_MAX }], limits);
  }

  highestPosition(): Promise<bigint | null> {
    return this.#file.read((sql) => {
      const { id, table } = planOf(sql, this.#source, this.#columns);
      const [row] = sql.prepare(`SELECT MAX(${id}) FROM ${table.quotedName}`).all() as unknown as [[bigint | null]];
      return row[0];
    });
  }

  /** Gaps never open, so that nobody reads in them. */
  inSnapshot<T>(work: (snapshot: SourceSnapshot) => Promise<T>): Promise<T> {
    return work({
      readRanges: (ranges, limits) => this.#read(ranges, limits),
      committedIn: (ranges, rowsMax) => this.committedIn(ranges, rowsMax),
      committedOf: async () => [],
    });
  }

  /**
   * By what SQLite keeps of the ids handed out. Rows with higher ids keep SQLite from handing these out again only as long as
   * they are in the table, so they do not count.
   */
  nextPosition(): Promise<bigint | null> {
    return this.#file.read((sql) => {
      const last = lastIdKept(sql, planOf(sql, this.#source, this.#columns).table) ?? 0n;
      return last < 0n ? 1n : last + 1n;
    });
  }

  committedIn(ranges: readonly PositionRange[], rowsMax: number): Promise<readonly bigint[]> {
    return this.#file.read((sql) => {
      const { id, table } = planOf(sql, this.#source, this.#columns);
      const select = `SELECT ${id} FROM ${table.quotedName} WHERE ${id} BETWEEN ? AND ? ORDER BY ${id} LIMIT ?`;
      const statement = sql.prepare(select);
      const found: bigint[] = [];
      for (const range of ranges) {
        const rows = statement.all(clamp(range.from), clamp(range.to), rowsMax - found.length) as unknown as [bigint][];
        found.push(...rows.map(([position]) => position).filter((position) => isIn(range, position)));
      }
      return found;
    });
  }

  #read(ranges: readonly PositionRange[], limits: BatchLimits): Promise<SourceBatch> {
    return this.#file.read((sql) => {
      const plan = planOf(sql, this.#source, this.#columns);
      const { id, table } = plan;
      const now = columnsOf(plan);
      // The same list as long as nothing has changed, so that a writer sees at once when something has.
      if (JSON.stringify(now) !== JSON.stringify(this.#columns)) this.#columns = now;
      const statement = sql.prepare(
        `SELECT ${selectListOf(table)} FROM ${table.quotedName} WHERE ${id} BETWEEN ? AND ? ORDER BY ${id}`,
      );
      const collector = new RowCollector(limits);
      for (const range of ranges) {
        const rows = statement.iterate(clamp(range.from), clamp(range.to)) as unknown as Iterable<ColumnValue[]>;
        for (const values of rows) {
          if (!isIn(range, values[plan.position] as bigint)) continue;
          if (!collector.add(this.#rowOf(plan, values))) return collector.batch();
        }
      }
      return collector.batch();
    });
  }

  #rowOf(plan: Plan, values: readonly ColumnValue[]): SourceRow {
    const position = values[plan.position] as bigint;
    const valueAt = (at: number | null): ColumnValue => (at === null ? null : (values[at] ?? null));
    const key = textOf(valueAt(plan.key));
    return {
      position,
      eventId: `${this.#source.name}:${position}`,
      topic: textOf(valueAt(plan.topic)) ?? this.#source.topic ?? '',
      key: key === null ? null : bytesOf(key),
      value: rowJson(
        plan.json.map(({ column }) => column),
        plan.json.map(({ at }) => values[at] ?? null),
      ),
      headers: null,
    };
  }
}

const columnsOf = ({ json }: Plan): readonly DeliveredColumn[] =>
  json.map(({ column }) => ({ name: column.name, type: column.json ? 'json' : '' }));

const POSITION_MAX = 2n ** 63n - 1n;
const POSITION_MIN = -(2n ** 63n);

/** Row ids are signed 64 bits; a position read elsewhere may be larger, and one that is looked for below it smaller. */
const clamp = (position: bigint): bigint =>
  position > POSITION_MAX ? POSITION_MAX : position < POSITION_MIN ? POSITION_MIN : position;
