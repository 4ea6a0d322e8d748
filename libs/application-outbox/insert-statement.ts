/** The INSERT of events into the outbox table: pure, the same for every library that runs it. */
import { failWith, numberLiteral } from '#database';
import type { FormattedEvent } from './formatters/event-formatter.ts';
import { INSERT_COLUMNS, rowLiterals } from './mysql-insert.ts';
import type { OutboxEvent } from './outbox-event.ts';
import type { SqlDialect, SqlParameter } from './sql-executor.ts';
import { traceToText } from './trace-column.ts';

/** An event with its bytes: one row. */
export interface EncodedEvent {
  readonly event: OutboxEvent;
  readonly formatted: FormattedEvent;
}

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly SqlParameter[];
}

export interface InsertStatement extends Statement {
  /** The same, slower: where it fails because of a column, the server's message names that column. */
  readonly naming?: () => Statement;
}

const SQLITE_COLUMNS = [
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
const SQLITE_ROW = `(${SQLITE_COLUMNS.map(() => '?').join(', ')})`;
/** Rows a statement. SQLite takes 32,766 placeholders. */
const STATEMENT_ROWS_MAX = 200;
/** A statement of several rows stays below what every server takes that is not set up to take less. */
const STATEMENT_BYTES_MAX = 1024 * 1024;

/** `2026-01-02 03:04:05.678`, UTC: what a DATETIME(3) takes whatever the session's time zone. */
const dateTime = (date: Date): string => date.toISOString().replace('T', ' ').replace('Z', '');

const headersOf = ({ event, formatted }: EncodedEvent): Record<string, string> => ({
  ...formatted.headers,
  ...event.headers,
});

function mysqlRow(row: EncodedEvent, naming: boolean): string {
  const { event, formatted } = row;
  const texts = {
    id: event.id,
    aggregatetype: event.aggregateType,
    aggregateid: event.aggregateId,
    type: event.type,
    tracingspancontext: traceToText(event.traceContext),
    source: event.source,
    dataversion: event.dataVersion,
    correlationid: event.correlationId,
    causationid: event.causationId,
    topic: event.topic,
    recordkey: event.key,
  };
  const timestamp = dateTime(event.occurredAt);
  return rowLiterals({ texts, payload: formatted.value, headers: headersOf(row), timestamp }, naming);
}

function sqliteRow(row: EncodedEvent): SqlParameter[] {
  const { event, formatted } = row;
  const headers = headersOf(row);
  return [
    event.id,
    event.aggregateType,
    event.aggregateId,
    event.type,
    formatted.value,
    event.occurredAt.getTime(),
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

/** Rows get their places in the order given; `table` is quoted. */
export function insertStatements(table: string, rows: readonly EncodedEvent[], dialect: SqlDialect): InsertStatement[] {
  return dialect === 'mysql' ? mysqlStatements(table, rows) : sqliteStatements(table, rows);
}

function sqliteStatements(table: string, rows: readonly EncodedEvent[]): Statement[] {
  const statements: Statement[] = [];
  for (let first = 0; first < rows.length; first += STATEMENT_ROWS_MAX) {
    const some = rows.slice(first, first + STATEMENT_ROWS_MAX);
    const values = some.map(() => SQLITE_ROW).join(', ');
    const sql = `INSERT INTO ${table} (${SQLITE_COLUMNS.join(', ')}) VALUES ${values}`;
    statements.push({ sql, parameters: some.flatMap(sqliteRow) });
  }
  return statements;
}

/** Values are in the text: there are no parameters. */
function mysqlStatements(table: string, rows: readonly EncodedEvent[]): InsertStatement[] {
  const statements: InsertStatement[] = [];
  const insert = (values: readonly string[]): Statement => ({
    sql: `INSERT INTO ${table} ${INSERT_COLUMNS} VALUES ${values.join(', ')}`,
    parameters: [],
  });
  let some: { row: EncodedEvent; values: string }[] = [];
  let bytes = 0;
  const close = (): void => {
    const taken = some;
    if (taken.length > 0) {
      const naming = () => insert(taken.map(({ row }) => mysqlRow(row, true)));
      statements.push({ ...insert(taken.map(({ values }) => values)), naming });
    }
    some = [];
    bytes = 0;
  };
  for (const row of rows) {
    const values = mysqlRow(row, false);
    if (some.length >= STATEMENT_ROWS_MAX || bytes + values.length > STATEMENT_BYTES_MAX) close();
    some.push({ row, values });
    bytes += values.length;
  }
  close();
  return statements;
}

/** Name of the statement, its command byte, and room to spare. */
const PACKET_SLACK_BYTES = 1024;

/**
 * A statement that fails where the server does not take so large a one as `insert`; null where it is small. Asked before: a server
 * that gets a packet above its limit ends the connection.
 */
export function roomFor(insert: Statement, dialect: SqlDialect): Statement | null {
  if (dialect !== 'mysql' || insert.sql.length <= STATEMENT_BYTES_MAX) return null;
  const needed = numberLiteral(insert.sql.length + PACKET_SLACK_BYTES);
  return {
    sql: `SELECT CASE WHEN @@max_allowed_packet < ${needed} THEN ${failWith('@@max_allowed_packet')} ELSE 1 END`,
    parameters: [],
  };
}
