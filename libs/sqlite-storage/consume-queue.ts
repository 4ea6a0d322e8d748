/**
 * Mode `consume`: an outbox table of the application's, whose rows leave it in the transaction that moves them. Rows go by
 * their row ids, which in a table with one writer is the order in which they were inserted; a statement calls the row id by
 * its own column, or by an alias that no column hides. The ids themselves may come again once the table is empty (`INTEGER PRIMARY KEY` without AUTOINCREMENT), so the position of a row is a count of rows
 * moved, without gaps, and it is what an event without an id of its own is called by.
 */
import type { BatchLimits, DeliveredColumn, SourceBatch, SourceDefinition, SourceReader } from '#outbox';
import { RelayError } from '#runtime';
import type { TakeMoved } from './append.ts';
import { CONSTRAINT, resultCodeOf } from './as-sqlite-error.ts';
import { type ColumnValue, sameValue } from './column-values.ts';
import { type EventColumns, eventColumns, messageOf } from './event-columns.ts';
import { RowCollector } from './row-collector.ts';
import { inspectTable, refuseGoneColumns, selectListOf } from './source-table.ts';
import type { SqliteFile, SqliteStatements } from './sqlite-file.ts';

export interface ConsumeQueueOptions {
  readonly file: SqliteFile;
  readonly source: SourceDefinition;
  /** Of the file, so that events of a file made anew are told from those of the old one. */
  readonly fileId: string;
}

interface TakenRow {
  readonly position: bigint;
  readonly rowid: bigint;
  readonly values: readonly ColumnValue[];
}

export class ConsumeQueue {
  readonly #options: ConsumeQueueOptions;
  /** The rows last read, to be deleted if they are what is moved. */
  #taken: readonly TakenRow[] = [];
  /** Columns that events were made of so far; null: not known. */
  #delivered: readonly DeliveredColumn[] | null = null;

  constructor(options: ConsumeQueueOptions) {
    this.#options = options;
  }

  /** Rejects with DB_SCHEMA or CONFIG_INVALID when the table cannot be a source, with SOURCE_COLUMNS_GONE when it was one. */
  async openReader(delivered: readonly DeliveredColumn[] | null = null): Promise<SourceReader> {
    const { file } = this.#options;
    this.#delivered = delivered;
    await file.read((sql) => rowidOf(this.#columns(sql)));
    const columns = () => this.#delivered ?? [];
    return {
      gapMode: 'ordered',
      graceMs: 0,
      get columns() {
        return columns();
      },
      readAfter: (after, limits) => file.read((sql) => this.#read(sql, after, limits)),
      inSnapshot: (work) =>
        work({
          readRanges: async () => ({ rows: [], full: false }),
          committedIn: async () => [],
          committedOf: async () => [],
        }),
      highestPosition: async () => null,
      committedIn: async () => [],
      nextPosition: async () => null,
    };
  }

  /** Rows in the table: committed and not moved yet. */
  waiting(): Promise<number> {
    const { file, source } = this.#options;
    return file.read((sql) => {
      const { quotedName } = inspectTable(sql, source.table);
      return sql.get<{ n: number }>(`SELECT COUNT(*) AS n FROM ${quotedName}`)?.n ?? 0;
    });
  }

  /**
   * Deletes the rows up to a position, and makes sure that they are still what was read: DB_TRANSIENT, and everything is
   * rolled back, when the application changed or deleted one in between.
   */
  readonly takeMoved: TakeMoved = (sql, upTo) => {
    const moved = this.#taken.filter(({ position }) => position <= upTo);
    if (moved.length === 0) return;
    const columns = this.#columns(sql);
    const { table: from } = columns;
    const remove = sql.prepare(
      `DELETE FROM ${from.quotedName} WHERE ${rowidOf(columns)} = ? RETURNING ${selectListOf(from)}`,
    );
    for (const { rowid, values } of moved) {
      const [found, ...more] = this.#delete(() => remove.all(rowid) as unknown as ColumnValue[][]);
      // Cannot be: a row id is one row's. Were it not so, rows would be lost.
      if (more.length > 0)
        throw new RelayError('INVARIANT_BROKEN', `two rows of ${from.name} have the row id ${rowid}`);
      if (found?.length === values.length && values.every((value, at) => sameValue(value, found[at] ?? null))) continue;
      const { table } = this.#options.source;
      throw new RelayError('DB_TRANSIENT', `a row of ${table} was changed between its reading and its moving`);
    }
  };

  #delete<T>(remove: () => T): T {
    try {
      return remove();
    } catch (thrown) {
      if (resultCodeOf(thrown) !== CONSTRAINT) throw thrown;
      const { table } = this.#options.source;
      throw new RelayError('DB_SCHEMA', `rows of ${table} cannot be deleted: a constraint or a trigger is in the way`, {
        cause: thrown,
      });
    }
  }

  #read(sql: SqliteStatements, after: bigint, limits: BatchLimits): SourceBatch {
    const columns = this.#columns(sql);
    const { name } = this.#options.source;
    const { table } = columns;
    const rowid = rowidOf(columns);
    const select = sql.prepare(
      `SELECT ${rowid}, ${selectListOf(table)} FROM ${table.quotedName} ORDER BY ${rowid} LIMIT ?`,
    );
    const collector = new RowCollector(limits);
    const taken: TakenRow[] = [];
    let position = after;
    for (const [id, ...values] of select.iterate(limits.rowsMax + 1) as unknown as Iterable<
      [bigint, ...ColumnValue[]]
    >) {
      position += 1n;
      const { eventId, ...message } = messageOf(columns, values);
      const ownId = eventId ?? `${name}:${this.#options.fileId}:${position}`;
      if (!collector.add({ position, eventId: ownId, ...message })) break;
      taken.push({ position, rowid: id, values });
    }
    this.#taken = taken;
    return collector.batch();
  }

  /** Looked at anew each time: it costs less than a row, and a table altered meanwhile is read as it is. */
  #columns(sql: SqliteStatements): EventColumns {
    const { source } = this.#options;
    const { event = null } = source;
    if (event === null) throw new RelayError('INTERNAL', `source ${source.name} is not in mode consume`);
    const table = inspectTable(sql, source.table);
    refuseGoneColumns(this.#delivered, table);
    const columns = eventColumns(table, source, event);
    const now = deliveredBy(columns);
    // The same list as long as nothing has changed, so that a writer sees at once when something has.
    if (JSON.stringify(now) !== JSON.stringify(this.#delivered)) this.#delivered = now;
    return columns;
  }
}

/** Throws DB_SCHEMA where nothing names a row of the table. */
function rowidOf({ table }: EventColumns): string {
  if (table.rowid !== null) return table.rowid;
  throw new RelayError(
    'DB_SCHEMA',
    `the columns rowid, _rowid_ and oid of ${table.name} hide its row ids: give it an INTEGER PRIMARY KEY, or rename one of them`,
  );
}

/** Without a payload column, the whole row is the payload. */
function deliveredBy(columns: EventColumns): readonly DeliveredColumn[] {
  const { table, payload, id, route, recordKey, topic, headers, tracing, placed } = columns;
  const places = [payload, id, route, recordKey, topic, headers, tracing, ...placed.map(({ at }) => at)];
  return table.columns
    .filter((_, at) => payload === null || places.includes(at))
    .map(({ name }) => ({ name, type: '' }));
}
