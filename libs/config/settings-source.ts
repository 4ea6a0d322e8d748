/** The rows of the table about what is read; `SOURCE_FIELDS` names the ones that an entry of `sources` can hold. */
import { choice, identifier, integer, list, nameOfSource, seconds, startPosition, text } from './setting.ts';

export const LANES_MAX = 1024;
const COLUMNS_MAX = 1024;
/** In a list, so without a comma; on a server `check-server-names.ts` allows less. */
const COLUMN = /^\P{Cc}{1,1000}$/u;
/** Narrower than a table's name by the $, so a table's name is not always a source's. */
export const SOURCE_NAME_PATTERN = /^[A-Za-z0-9_.-]{1,64}$/;

export const SOURCE = {
  SOURCE_NAME: text({
    default: null,
    defaultText: '(the table)',
    type: 'letters, digits, _ . and -, at most 64',
    pattern: SOURCE_NAME_PATTERN,
    text: 'Name of the source: the watermark row, the headers `id` and `source`, the metrics.',
  }),
  SOURCE_TABLE: nameOfSource({
    default: null,
    defaultText: '(required)',
    text: 'Table to monitor for new rows. Not needed with a list of `sources`.',
  }),
  SOURCE_WATERMARK_COLUMN: nameOfSource({
    default: 'WatermarkId',
    text: 'Auto-increment column for tracking progress; in mode `consume` the default is `seq`.',
  }),
  SOURCE_COLUMNS: list({
    default: null,
    defaultText: '(all)',
    type: 'column names separated by commas',
    pattern: COLUMN,
    entriesMax: COLUMNS_MAX,
    text: 'Comma-separated list of columns to include. A name with a comma in it stands in backticks, as in SQL; so in all lists of columns.',
  }),
  SOURCE_MODE: choice({
    default: 'append',
    of: ['append', 'consume'],
    text: '`append`: rows stay in the table. `consume`: an application outbox table, whose rows are deleted as they are moved.',
  }),
  SOURCE_EVENT_COLUMNS: list({
    default: null,
    defaultText: '(as Debezium names them)',
    type: 'pairs of role and column such as payload=body, separated by commas; roles: id, route, payload, tracing, headers, recordkey',
    pattern: /^(?:id|route|payload|tracing|headers|recordkey)=\P{Cc}{1,1000}$/u,
    entriesMax: COLUMNS_MAX,
    text: 'Mode `consume`: columns with another name than `id`, `aggregatetype` (route), `payload`, `tracingspancontext`, `headers`, `recordkey`; the last three need not be there.',
  }),
  SOURCE_EVENT_HEADERS: list({
    default: null,
    type: 'columns separated by commas, each with :header behind it where that has another name',
    pattern: COLUMN,
    entriesMax: COLUMNS_MAX,
    text: 'Mode `consume`: columns that become headers, such as `type:eventType,correlationid`.',
  }),
  SOURCE_EVENT_TOPIC_PREFIX: text({
    default: 'outbox.event.',
    type: 'the begin of a topic name (letters, digits, . _ and -, at most 200)',
    pattern: /^[A-Za-z0-9._-]{1,200}$/,
    text: 'Mode `consume`: the topic is this and the value of the route column, where neither the row nor `KAFKA_TOPIC` names one.',
  }),
  SOURCE_ARCHIVE_TABLE: identifier({
    default: null,
    text: 'Mode `consume`: table that keeps the rows moved, in partitions by day. `init --event-tables` makes it.',
  }),
  SOURCE_ARCHIVE_RETENTION: seconds({
    default: '604800',
    min: 86_400,
    max: 315_360_000,
    text: 'Time that the archive keeps rows (seconds); whole days are dropped.',
  }),
  KAFKA_TOPIC: text({
    default: null,
    defaultText: '(required)',
    type: 'a topic name (letters, digits, . _ and -, at most 249)',
    pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
    text: 'Kafka topic to publish to; not required in mode `consume`. With `KAFKA_TOPIC_COLUMN`, the topic of rows whose column is NULL.',
  }),
  KAFKA_TOPIC_COLUMN: nameOfSource({
    default: null,
    text: "Column that holds the row's topic; in mode `consume` the default is `topic`, where the table has it.",
  }),
  KAFKA_KEY_COLUMN: nameOfSource({
    default: null,
    text: 'Column to use as Kafka partition key; in mode `consume` the default is `aggregateid`. Rows of one key arrive in order.',
  }),
  LANES: integer({
    default: '8',
    min: 1,
    max: LANES_MAX,
    text: 'Lanes of each source: the most senders that can share its work. All sources together have at most 1024.',
  }),
  START_FROM: startPosition({
    default: 'earliest',
    text: 'Where a new source starts: all rows, only rows that come after, or the first id to move.',
  }),
  SOURCE_GAP_MODE: choice({
    default: 'auto',
    of: ['auto', 'transactions', 'locks', 'time'],
    text: 'How a missing id is settled: by the running transactions, by uncommitted rows, by waiting, or by the best of them that the database is found to support.',
  }),
  SOURCE_GAP_GRACE: seconds({
    default: null,
    defaultText: '(1 in mode transactions, innodb_lock_wait_timeout + 10 in mode locks, 60 in mode time)',
    min: 0.01,
    max: 86_400,
    text: 'Time from sighting a missing id to the evidence that it will never be a row (seconds); what each mode needs is told in docs/guarantees.md.',
  }),
};

/** Field of an entry of `sources` -> the setting that has its type, its bounds and its default. */
export const SOURCE_FIELDS = {
  name: 'SOURCE_NAME',
  table: 'SOURCE_TABLE',
  watermark_column: 'SOURCE_WATERMARK_COLUMN',
  columns: 'SOURCE_COLUMNS',
  mode: 'SOURCE_MODE',
  event_columns: 'SOURCE_EVENT_COLUMNS',
  event_headers: 'SOURCE_EVENT_HEADERS',
  event_topic_prefix: 'SOURCE_EVENT_TOPIC_PREFIX',
  archive_table: 'SOURCE_ARCHIVE_TABLE',
  archive_retention: 'SOURCE_ARCHIVE_RETENTION',
  topic: 'KAFKA_TOPIC',
  topic_column: 'KAFKA_TOPIC_COLUMN',
  key_column: 'KAFKA_KEY_COLUMN',
  lanes: 'LANES',
  start_from: 'START_FROM',
  gap_mode: 'SOURCE_GAP_MODE',
  gap_grace: 'SOURCE_GAP_GRACE',
} as const satisfies Record<string, keyof typeof SOURCE>;

/** Settings that describe the one source of the environment, so they contradict a list of `sources`. */
export const ONE_SOURCE_ONLY = [
  'SOURCE_NAME',
  'SOURCE_TABLE',
  'SOURCE_WATERMARK_COLUMN',
  'SOURCE_COLUMNS',
  'SOURCE_MODE',
  'SOURCE_EVENT_COLUMNS',
  'SOURCE_EVENT_HEADERS',
  'SOURCE_EVENT_TOPIC_PREFIX',
  'SOURCE_ARCHIVE_TABLE',
  'SOURCE_ARCHIVE_RETENTION',
] as const satisfies readonly (keyof typeof SOURCE)[];
