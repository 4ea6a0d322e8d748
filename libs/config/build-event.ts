/** Mode `consume`: what is read from which column, with the names of Debezium's outbox event router where nothing else is said. */
import { unquotedName } from '#runtime';
import type { EventConfig, OptionalColumn } from './config.ts';
import type { Values } from './settings.ts';

export type EventValues = Pick<
  Values,
  | 'SOURCE_EVENT_COLUMNS'
  | 'SOURCE_EVENT_HEADERS'
  | 'SOURCE_EVENT_TOPIC_PREFIX'
  | 'SOURCE_ARCHIVE_TABLE'
  | 'SOURCE_ARCHIVE_RETENTION'
  | 'KAFKA_TOPIC_COLUMN'
>;

export const EVENT_KEY_COLUMN = 'aggregateid';
export const EVENT_WATERMARK_COLUMN = 'seq';

/** A colon may belong to the column: the header stands behind the last one that no backticks hold. */
export function headerColumn(entry: string): { readonly column: string; readonly header: string } {
  const [, column = entry, header] = /^(`(?:[^`]|``)+`|.+):([A-Za-z0-9_.-]{1,128})$/u.exec(entry) ?? [];
  return { column: unquotedName(column), header: header ?? unquotedName(column) };
}

/** `role=column`. */
export function roleColumn(entry: string): readonly [string, string] {
  const at = entry.indexOf('=');
  return [entry.slice(0, at), unquotedName(entry.slice(at + 1))];
}

export function buildEvent(values: EventValues): EventConfig {
  const roles = new Map((values.SOURCE_EVENT_COLUMNS ?? []).map(roleColumn));
  const optional = (named: string | null | undefined, usual: string): OptionalColumn => ({
    column: named ?? usual,
    required: named !== null && named !== undefined,
  });
  return {
    idColumn: roles.get('id') ?? 'id',
    routeColumn: roles.get('route') ?? 'aggregatetype',
    payloadColumn: roles.get('payload') ?? 'payload',
    tracingColumn: optional(roles.get('tracing'), 'tracingspancontext'),
    headersColumn: optional(roles.get('headers'), 'headers'),
    recordKeyColumn: optional(roles.get('recordkey'), 'recordkey'),
    topicColumn: optional(values.KAFKA_TOPIC_COLUMN, 'topic'),
    headerColumns: (values.SOURCE_EVENT_HEADERS ?? []).map(headerColumn),
    topicPrefix: values.SOURCE_EVENT_TOPIC_PREFIX,
    archive:
      values.SOURCE_ARCHIVE_TABLE === null
        ? null
        : { table: values.SOURCE_ARCHIVE_TABLE, retentionMs: values.SOURCE_ARCHIVE_RETENTION },
  };
}
