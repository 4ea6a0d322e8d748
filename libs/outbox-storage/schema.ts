/**
 * The statements that make the tables, by version and engine. The version in force is kept in the comment of the watermark
 * table, which is made last: no table of its own is needed for it, and tables half made are made whole by the next `init`.
 */

import type { EngineKind } from '#database';
import type { OutboxTables } from '#outbox';

export const SCHEMA_VERSION = 7;
const COMMENT_PREFIX = 'kafka-row-sender schema ';

/** The version a table comment names, or null when it is none of ours. */
export function versionIn(comment: string): number | null {
  const number = comment.startsWith(COMMENT_PREFIX) ? Number(comment.slice(COMMENT_PREFIX.length)) : Number.NaN;
  return Number.isSafeInteger(number) && number > 0 ? number : null;
}

/** Compared byte by byte, so that two names that differ in case or accents stay two. */
const TEXT = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

/**
 * The columns a message has, in the outbox and in the dead letters alike. None has a bound of its own: whatever a source's row says
 * gets here, and what Kafka does not take is the fault of that row, judged by the sender.
 */
const MESSAGE_COLUMNS = `
  event_id LONGTEXT ${TEXT} NOT NULL,
  topic LONGTEXT ${TEXT} NOT NULL,
  record_key LONGBLOB NULL,
  payload LONGBLOB NULL,
  headers LONGTEXT ${TEXT} NULL,
  size INT UNSIGNED NOT NULL,`;

/** Where the source began, for `verify`: rows above the position, and in the gaps that were open then. NULL: not known. */
const startColumns = (): readonly string[] => [
  '  start_position DECIMAL(20,0) NULL',
  `  start_gaps LONGTEXT ${TEXT} NULL`,
];

/** Whether writers may lead the source, and how often its ids have begun anew. */
const stateColumns = (): readonly string[] => [
  `  state VARCHAR(16) ${TEXT} NOT NULL DEFAULT 'running'`,
  `  cause VARCHAR(64) ${TEXT} NULL`,
  `  why TEXT ${TEXT} NULL`,
  `  incarnations TEXT ${TEXT} NULL`,
];

interface Dialect {
  readonly create: string;
  readonly engine: string;
}

const dialectOf = (kind: EngineKind): Dialect =>
  kind === 'singlestore'
    ? { create: 'CREATE ROWSTORE TABLE IF NOT EXISTS', engine: '' }
    : { create: 'CREATE TABLE IF NOT EXISTS', engine: ' ENGINE=InnoDB ROW_FORMAT=DYNAMIC' };

const topicTable = (tables: OutboxTables, { create, engine }: Dialect): string =>
  `${create} ${tables.topic} (
  topic VARCHAR(255) ${TEXT} NOT NULL,
  sent_until DATETIME(6) NOT NULL,
  PRIMARY KEY (topic)
)${engine}`;

/** `detail` is what `encodeRanges` writes. Positions are DECIMAL as in the watermark table. */
const gapTable = (tables: OutboxTables, { create, engine }: Dialect): string =>
  `${create} ${tables.gap} (
  source VARCHAR(255) ${TEXT} NOT NULL,
  page DECIMAL(20,0) NOT NULL,
  first_position DECIMAL(20,0) NOT NULL,
  last_position DECIMAL(20,0) NOT NULL,
  missing DECIMAL(20,0) NOT NULL,
  ranges INT UNSIGNED NOT NULL,
  detail MEDIUMTEXT ${TEXT} NOT NULL,
  opened_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (source, page)
)${engine}`;

/** A table of its own: what it holds is too much to be written again with every append, as the watermark row is. */
const sourceFactsTable = (tables: OutboxTables, { create, engine }: Dialect): string =>
  `${create} ${tables.sourceFacts} (
  source VARCHAR(255) ${TEXT} NOT NULL,
  delivered_columns MEDIUMTEXT ${TEXT} NULL,
  mark MEDIUMTEXT ${TEXT} NULL,
  sample MEDIUMTEXT ${TEXT} NULL,
  next_position DECIMAL(20,0) NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (source)
)${engine}`;

/** `tables` quoted. Each statement can be run again without harm. */
export function schemaStatements(tables: OutboxTables, kind: EngineKind): readonly string[] {
  const dialect = dialectOf(kind);
  const { create, engine } = dialect;
  return [
    `${create} ${tables.outbox} (
  id BIGINT NOT NULL,${MESSAGE_COLUMNS}
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id)
)${engine}`,
    `${create} ${tables.lane} (
  lane SMALLINT UNSIGNED NOT NULL,
  source VARCHAR(255) ${TEXT} NOT NULL,
  delivered_id BIGINT NULL,
  holder VARCHAR(255) ${TEXT} NULL,
  claim_epoch BIGINT NOT NULL,
  lease_until DATETIME(6) NULL,
  fence_ids MEDIUMTEXT ${TEXT} NOT NULL,
  doubts MEDIUMTEXT ${TEXT} NULL,
  state VARCHAR(16) ${TEXT} NOT NULL,
  why TEXT ${TEXT} NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (lane)
)${engine}`,
    `${create} ${tables.member} (
  id VARCHAR(255) ${TEXT} NOT NULL,
  kind VARCHAR(16) ${TEXT} NOT NULL,
  heartbeat_at DATETIME(6) NOT NULL,
  started_at DATETIME(6) NOT NULL,
  stalls TEXT ${TEXT} NULL,
  PRIMARY KEY (id, kind)
)${engine}`,
    `${create} ${tables.deadLetter} (
  id BIGINT NOT NULL,
  lane SMALLINT UNSIGNED NOT NULL,
  state VARCHAR(16) ${TEXT} NOT NULL,${MESSAGE_COLUMNS}
  key_hash BINARY(32) NULL,
  attempts INT UNSIGNED NOT NULL,
  attempt_token BIGINT NOT NULL,
  waits_for VARCHAR(300) ${TEXT} NULL,
  error TEXT ${TEXT} NOT NULL,
  due_at DATETIME(6) NOT NULL,
  first_at DATETIME(6) NOT NULL,
  last_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY by_state (lane, state, id),
  KEY by_key (lane, key_hash, id),
  KEY by_target (lane, waits_for, id, size),
  KEY by_attempt (lane, attempt_token)
)${engine}`,
    topicTable(tables, dialect),
    gapTable(tables, dialect),
    sourceFactsTable(tables, dialect),
    // The position is a DECIMAL because a watermark column may be signed or unsigned, and 64 bits wide either way.
    `${create} ${tables.watermark} (
  source VARCHAR(255) ${TEXT} NOT NULL,
  position DECIMAL(20,0) NOT NULL,
  next_sequence BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  leader VARCHAR(255) ${TEXT} NULL,
  updated_at DATETIME(6) NOT NULL,
${[...startColumns(), ...stateColumns()].join(',\n')},
  PRIMARY KEY (source)
)${engine} COMMENT='${COMMENT_PREFIX}${SCHEMA_VERSION}'`,
  ];
}
