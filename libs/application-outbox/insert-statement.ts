/** The INSERT of events into the outbox table: pure, the same for every library that runs it. */
import type { FormattedEvent } from './formatters/event-formatter.ts';
import type { OutboxEvent } from './outbox-event.ts';
import type { SqlDialect, SqlParameter } from './sql-executor.ts';
import { traceToText } from './trace-column.ts';

/** An event with its bytes: one row. */
export interface EncodedEvent {
  readonly event: OutboxEvent;
  readonly formatted: FormattedEvent;
}

export interface InsertStatement {
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
}

const COLUMNS = [
  'id',
  'aggregatetype',
  'aggregateid',
  'type',
  'payload',
  'timestamp',
  'tracingspancontext',
  'source',
  'dataversion',
  'correlationid',
  'causationid',
  'topic',
  'recordkey',
  'headers',
] as const;
const ROW = `(${COLUMNS.map(() => '?').join(', ')})`;

/** `2026-01-02 03:04:05.678`, UTC: what a DATETIME(3) takes whatever the session's time zone. */
const dateTime = (date: Date): string => date.toISOString().replace('T', ' ').replace('Z', '');

function parametersOf({ event, formatted }: EncodedEvent, dialect: SqlDialect): SqlParameter[] {
  const headers = { ...formatted.headers, ...event.headers };
  return [
    event.id,
    event.aggregateType,
    event.aggregateId,
    event.type,
    formatted.value,
    dialect === 'mysql' ? dateTime(event.occurredAt) : event.occurredAt.getTime(),
    traceToText(event.traceContext),
    event.source,
    event.dataVersion,
    event.correlationId,
    event.causationId,
    event.topic,
    event.key,
    Object.keys(headers).length === 0 ? null : JSON.stringify(headers),
  ];
}

/** `table` quoted; at least one row. Rows get their places in the order given. */
export function insertStatement(table: string, rows: readonly EncodedEvent[], dialect: SqlDialect): InsertStatement {
  return {
    sql: `INSERT INTO ${table} (${COLUMNS.join(', ')}) VALUES ${rows.map(() => ROW).join(', ')}`,
    parameters: rows.flatMap((row) => parametersOf(row, dialect)),
  };
}
