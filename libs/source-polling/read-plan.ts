/**
 * What one read of a source selects and what becomes of each column: made from the table's description, checked against
 * the names and types that come with every result, so that a change of the table between two reads never goes unnoticed.
 */
import { quoteServerName } from '#database';
import type { DeliveredColumn, EventDefinition, OptionalColumn, SourceDefinition } from '#outbox';
import { RelayError } from '#runtime';
import type { ColumnFacts, TableFacts } from './inspect-table.ts';

export interface PlanColumn {
  readonly name: string;
  /** Where the column is in a result row. */
  readonly at: number;
  /** Where the same column as a DOUBLE is, for FLOAT columns; see float-text.ts. */
  readonly doubleAt: number | null;
  /** MariaDB's JSON: a text column with a JSON_VALID check. */
  readonly checkedJson: boolean;
}

export interface ReadPlan {
  readonly sourceName: string;
  /** `FROM .. FORCE INDEX ..`, quoted. */
  readonly from: string;
  /** The watermark column, quoted. */
  readonly watermark: string;
  /** Everything between SELECT and FROM. */
  readonly selectList: string;
  /** Names the result must have, in order; null where the name does not matter. */
  readonly expectedNames: readonly (string | null)[];
  /** The members of the JSON object, in order. */
  readonly jsonColumns: readonly PlanColumn[];
  readonly position: PlanColumn;
  readonly key: PlanColumn | null;
  readonly topic: PlanColumn | null;
  readonly fallbackTopic: string;
  /** Mode `consume` only; `jsonColumns` is empty then. */
  readonly event: EventPlan | null;
}

/** Where the parts of an event are in a result row. */
export interface EventPlan {
  readonly id: PlanColumn;
  readonly route: PlanColumn;
  readonly topicPrefix: string;
  readonly payload: PlanColumn;
  readonly tracing: PlanColumn | null;
  readonly headers: PlanColumn | null;
  readonly recordKey: PlanColumn | null;
  readonly placed: readonly { readonly column: PlanColumn; readonly header: string }[];
}

/** All columns of an event, in no order. */
export const eventColumns = ({ id, route, payload, tracing, headers, recordKey, placed }: EventPlan) => [
  id,
  route,
  payload,
  tracing,
  headers,
  recordKey,
  ...placed.map(({ column }) => column),
];

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

function findColumn(table: TableFacts, wanted: string, role: string): ColumnFacts {
  const found = table.columns.find((column) => sameName(column.name, wanted));
  if (found) return found;
  throw new RelayError(
    'DB_SCHEMA',
    `source table ${table.name} has no column ${wanted} (${role}): correct the setting or the table`,
  );
}

/** Collects what to select; a column asked for twice is selected once. */
class Selection {
  readonly parts: string[] = [];
  readonly names: (string | null)[] = [];
  readonly #places = new Map<string, PlanColumn>();

  /** `SELECT *` names new columns in the very statement that reads them. */
  addStar(table: TableFacts): void {
    this.parts.push('*');
    const visible = table.columns.filter((column) => !column.invisible);
    const first = this.names.length;
    this.names.push(...visible.map((column) => column.name));
    for (const [index, column] of visible.entries()) this.#remember(column, first + index);
  }

  add(column: ColumnFacts): PlanColumn {
    const known = this.#places.get(column.name);
    if (known) return known;
    this.parts.push(quoteServerName(column.name));
    this.names.push(column.name);
    return this.#remember(column, this.names.length - 1);
  }

  #remember(column: ColumnFacts, at: number): PlanColumn {
    const place: PlanColumn = { name: column.name, at, doubleAt: null, checkedJson: column.checkedJson };
    this.#places.set(column.name, place);
    return place;
  }

  /** Gives FLOAT columns their companion; after every column was added. */
  complete(column: ColumnFacts): PlanColumn {
    const place = this.#places.get(column.name) as PlanColumn;
    if (!column.float || place.doubleAt !== null) return place;
    this.parts.push(`${quoteServerName(column.name)} * 1e0`);
    this.names.push(null);
    const completed = { ...place, doubleAt: this.names.length - 1 };
    this.#places.set(column.name, completed);
    return completed;
  }
}

const quoteFrom = ({ quotedName, forceIndex }: TableFacts): string =>
  `FROM ${quotedName}${forceIndex === null ? '' : ` FORCE INDEX (${quoteServerName(forceIndex)})`}`;

/** Mode `consume`. */
function buildEventReadPlan(source: SourceDefinition, event: EventDefinition, table: TableFacts): ReadPlan {
  const selection = new Selection();
  const place = (name: string, role: string): PlanColumn => {
    const column = findColumn(table, name, role);
    selection.add(column);
    return selection.complete(column);
  };
  const placeIfThere = ({ column, required }: OptionalColumn, role: string): PlanColumn | null =>
    required || table.columns.some(({ name }) => sameName(name, column)) ? place(column, role) : null;
  const watermark = findColumn(table, source.watermarkColumn, 'watermark column');
  return {
    sourceName: source.name,
    from: quoteFrom(table),
    watermark: quoteServerName(watermark.name),
    jsonColumns: [],
    position: place(watermark.name, 'watermark column'),
    key: source.keyColumn === null ? null : place(source.keyColumn, 'key column'),
    topic: placeIfThere(event.topicColumn, 'topic column'),
    fallbackTopic: source.topic ?? '',
    event: {
      id: place(event.idColumn, 'event id'),
      route: place(event.routeColumn, 'route column'),
      topicPrefix: event.topicPrefix,
      payload: place(event.payloadColumn, 'payload'),
      tracing: placeIfThere(event.tracingColumn, 'trace context'),
      headers: placeIfThere(event.headersColumn, 'headers'),
      recordKey: placeIfThere(event.recordKeyColumn, 'record key'),
      placed: event.headerColumns.map(({ column, header }) => ({ column: place(column, `header ${header}`), header })),
    },
    selectList: selection.parts.join(', '),
    expectedNames: selection.names,
  };
}

/** Rejects with DB_SCHEMA when a configured column is not there. */
export function buildReadPlan(source: SourceDefinition, table: TableFacts): ReadPlan {
  if (source.event) return buildEventReadPlan(source, source.event, table);
  const watermark = findColumn(table, source.watermarkColumn, 'watermark column');
  const key = source.keyColumn === null ? null : findColumn(table, source.keyColumn, 'key column');
  const topic = source.topicColumn === null ? null : findColumn(table, source.topicColumn, 'topic column');
  // A column listed twice would be a JSON member twice.
  const listed = [
    ...new Set(
      source.columns?.map((name) => findColumn(table, name, 'listed column')) ??
        table.columns.filter((column) => !column.invisible),
    ),
  ];
  const selection = new Selection();
  if (source.columns === null) selection.addStar(table);
  for (const column of [...listed, watermark, key, topic]) if (column) selection.add(column);
  const jsonColumns = listed.map((column) => selection.complete(column));
  return {
    sourceName: source.name,
    from: quoteFrom(table),
    watermark: quoteServerName(watermark.name),
    jsonColumns,
    position: selection.complete(watermark),
    key: key && selection.complete(key),
    topic: topic && selection.complete(topic),
    event: null,
    selectList: selection.parts.join(', '),
    expectedNames: selection.names,
    fallbackTopic: source.topic ?? '',
  };
}

/** The columns whose values go out as a plan has them: of the JSON, or of the events. */
export function deliveredColumns({ jsonColumns, event, topic }: ReadPlan, table: TableFacts): DeliveredColumn[] {
  const placed = event === null ? jsonColumns : [...eventColumns(event), topic];
  const names = new Set(placed.flatMap((column) => (column === null ? [] : [column.name])));
  return table.columns
    .filter(({ name }) => names.has(name))
    .map(({ name, dataType, checkedJson }) => ({
      name,
      type: checkedJson ? 'json' : dataType,
    }));
}

/**
 * Throws SOURCE_COLUMNS_GONE when a column delivered so far would be so no more: dropped, renamed, or made invisible. One that the
 * settings do not ask for any more is none of them.
 */
export function refuseGoneColumns(
  source: SourceDefinition,
  columns: readonly ColumnFacts[],
  delivered: readonly DeliveredColumn[] | null,
): void {
  const isAll = source.columns === null && !source.event;
  const there = new Set(columns.filter(({ invisible }) => !(isAll && invisible)).map(({ name }) => name));
  const wanted = wantedColumns(source);
  const isWanted = (name: string) => wanted === null || wanted.some((one) => sameName(one, name));
  const gone = delivered?.filter(({ name }) => isWanted(name) && !there.has(name)) ?? [];
  if (gone.length === 0) return;
  const names = gone.map(({ name }) => name).join(', ');
  const [what, were] = gone.length === 1 ? ['column', 'was'] : ['columns', 'were'];
  throw new RelayError(
    'SOURCE_COLUMNS_GONE',
    `${what} ${names} of source table ${source.table} ${were} delivered and ${were} dropped, renamed or made invisible`,
  );
}

/** Null: all. */
function wantedColumns({ columns, event }: SourceDefinition): readonly string[] | null {
  if (!event) return columns;
  const { idColumn, routeColumn, payloadColumn, tracingColumn, headersColumn, recordKeyColumn, topicColumn } = event;
  const optional = [tracingColumn, headersColumn, recordKeyColumn, topicColumn].map(({ column }) => column);
  return [idColumn, routeColumn, payloadColumn, ...optional, ...event.headerColumns.map(({ column }) => column)];
}
