/**
 * What the columns of an application's outbox table mean, as on a server: topic `outbox.event.<aggregatetype>`, key
 * `aggregateid`, value the payload's bytes, header `id`, and more where the table has the columns. Names are compared without
 * letter case and underscores, so that tables written by hand are read too (`aggregateId`, `aggregate_id`). A table
 * without a payload column is sent as the JSON of its whole rows.
 */

import { foldSqliteName } from '#database';
import { type EventDefinition, type OptionalColumn, ownHeaders, type SourceDefinition, traceHeaders } from '#outbox';
import { RelayError } from '#runtime';
import { bytesOf, type ColumnValue, rowJson, textOf } from './column-values.ts';
import { type SourceTable, sameName } from './source-table.ts';

export interface EventMessage {
  /** Null: the table has none, or it is a number of the table's own, which may come again. */
  readonly eventId: string | null;
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>> | null;
}

type Place = number | null;

export interface EventColumns {
  readonly table: SourceTable;
  readonly payload: Place;
  readonly id: Place;
  readonly route: Place;
  readonly recordKey: Place;
  readonly key: Place;
  readonly topic: Place;
  readonly headers: Place;
  readonly tracing: Place;
  readonly placed: readonly { readonly at: number; readonly header: string }[];
  readonly topicPrefix: string;
  readonly fallbackTopic: string | null;
}

const PAYLOAD_COLUMN = 'payload';
const UUID_BYTES = 16;

const plainName = (name: string): string => foldSqliteName(name).replaceAll('_', '');

/** Throws DB_SCHEMA when a column that must be there is not, CONFIG_INVALID when nothing says which topic rows go to. */
export function eventColumns(table: SourceTable, source: SourceDefinition, event: EventDefinition): EventColumns {
  const find = (wanted: string): Place => {
    const exact = table.columns.findIndex(({ name }) => sameName(name, wanted));
    if (exact >= 0) return exact;
    const alike = table.columns.filter(({ name }) => plainName(name) === plainName(wanted));
    const [only, other] = alike;
    if (only === undefined) return null;
    if (other === undefined) return table.columns.indexOf(only);
    throw new RelayError(
      'DB_SCHEMA',
      `${only.name} and ${other.name} of source table ${table.name} may both be meant by ${wanted}: rename one of them, or name the column in the settings`,
    );
  };
  const must = (wanted: string, role: string): number => {
    const at = find(wanted);
    if (at !== null) return at;
    throw new RelayError('DB_SCHEMA', `source table ${table.name} has no column ${wanted} (${role})`);
  };
  const may = ({ column, required }: OptionalColumn, role: string): Place =>
    required ? must(column, role) : find(column);
  if (event.archive !== null) {
    throw new RelayError('CONFIG_INVALID', `source ${source.name}: an SQLite file has no archive of moved rows`);
  }
  const columns: EventColumns = {
    table,
    payload: event.payloadColumn === PAYLOAD_COLUMN ? find(PAYLOAD_COLUMN) : must(event.payloadColumn, 'payload'),
    id: event.idColumn === 'id' ? find('id') : must(event.idColumn, 'event id'),
    route: find(event.routeColumn),
    recordKey: may(event.recordKeyColumn, 'record key'),
    key: source.keyColumn === null ? null : must(source.keyColumn, 'key column'),
    topic: may(event.topicColumn, 'topic column'),
    headers: may(event.headersColumn, 'headers'),
    tracing: may(event.tracingColumn, 'trace context'),
    placed: event.headerColumns.map(({ column, header }) => ({ at: must(column, `header ${header}`), header })),
    topicPrefix: event.topicPrefix,
    fallbackTopic: source.topic,
  };
  if (columns.topic === null && columns.route === null && source.topic === null) {
    throw new RelayError('CONFIG_INVALID', `nothing says to which topic rows of ${table.name} go: set KAFKA_TOPIC`);
  }
  return columns;
}

export function messageOf(columns: EventColumns, values: readonly ColumnValue[]): EventMessage {
  const at = (place: Place): ColumnValue => (place === null ? null : (values[place] ?? null));
  const route = textOf(at(columns.route));
  const routed = route === null ? '' : columns.topicPrefix + route;
  return {
    eventId: idOf(at(columns.id)),
    // An empty topic says that the row has none: the sender takes that as the row's own fault.
    topic: textOf(at(columns.topic)) ?? columns.fallbackTopic ?? routed,
    key: bytesOf(at(columns.recordKey)) ?? bytesOf(at(columns.key)),
    value: columns.payload === null ? rowJson(columns.table.columns, values) : bytesOf(at(columns.payload)),
    headers: headersOf(columns, at),
  };
}

/** Binary ids of 16 bytes are UUIDs. */
function idOf(value: ColumnValue): string | null {
  if (value instanceof Uint8Array && value.length === UUID_BYTES) {
    const hex = Buffer.from(value).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }
  return typeof value === 'string' && value !== '' ? value : null;
}

function headersOf(columns: EventColumns, at: (place: Place) => ColumnValue): Record<string, string> | null {
  const all: Record<string, string> = traceHeaders(textOf(at(columns.tracing)) ?? '');
  for (const { at: place, header } of columns.placed) {
    const value = textOf(at(place));
    if (value !== null) all[header] = value;
  }
  const own = textOf(at(columns.headers));
  if (own !== null) Object.assign(all, ownHeaders(own));
  return Object.keys(all).length === 0 ? null : all;
}
