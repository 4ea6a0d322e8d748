/**
 * The application's outbox table. Its first columns are what Debezium's outbox event router expects by default, so that a user
 * can go to it and come back; `seq` is what keeps the order here: a server's own counter, unlike an id or a time that the
 * application makes. The source mode `consume` reads any table that has the columns it is told to read.
 */
import { quoteSqliteName, quoteTablePath } from '#database';
import type { SqlDialect } from './sql-executor.ts';

/** The name that Debezium's documentation uses. */
export const OUTBOX_TABLE = 'outboxevent';

/** Compared byte by byte: two ids that differ in case are two. */
const TEXT = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

const MYSQL_COLUMNS = `
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  id VARCHAR(255) ${TEXT} NOT NULL,
  aggregatetype VARCHAR(255) ${TEXT} NOT NULL,
  aggregateid VARCHAR(255) ${TEXT} NOT NULL,
  type VARCHAR(255) ${TEXT} NOT NULL,
  payload LONGBLOB NULL,
  timestamp DATETIME(3) NOT NULL COMMENT 'UTC',
  tracingspancontext TEXT ${TEXT} NULL,
  source VARCHAR(255) ${TEXT} NULL,
  dataversion VARCHAR(64) ${TEXT} NULL,
  correlationid VARCHAR(255) ${TEXT} NULL,
  causationid VARCHAR(255) ${TEXT} NULL,
  topic VARCHAR(249) ${TEXT} NULL COMMENT 'instead of outbox.event.<aggregatetype>',
  recordkey VARCHAR(255) ${TEXT} NULL COMMENT 'instead of aggregateid',
  headers MEDIUMTEXT ${TEXT} NULL COMMENT 'JSON object of texts',
  PRIMARY KEY (seq),
  UNIQUE KEY event_id (id)`;

/** `timestamp` is milliseconds since 1970. AUTOINCREMENT: a number is never given out twice, also when the table was emptied. */
const SQLITE_COLUMNS = `
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  aggregatetype TEXT NOT NULL,
  aggregateid TEXT NOT NULL,
  type TEXT NOT NULL,
  payload BLOB NULL,
  timestamp INTEGER NOT NULL,
  tracingspancontext TEXT NULL,
  source TEXT NULL,
  dataversion TEXT NULL,
  correlationid TEXT NULL,
  causationid TEXT NULL,
  topic TEXT NULL,
  recordkey TEXT NULL,
  headers TEXT NULL`;

/**
 * Quoted. On a server `name` or `schema.name`, a part with a dot or a backtick in it in backticks; on SQLite any name as it is. Throws
 * CONFIG_INVALID for what is no name there.
 */
export const quoteOutboxTable = (table: string, dialect: SqlDialect): string =>
  dialect === 'sqlite' ? quoteSqliteName(table) : quoteTablePath(table);

/** The statements that make the table. Throws CONFIG_INVALID for what is no name in that dialect. */
export function outboxTableSql(options: { readonly table?: string; readonly dialect?: SqlDialect } = {}): string[] {
  const { table: name = OUTBOX_TABLE, dialect = 'mysql' } = options;
  const table = quoteOutboxTable(name, dialect);
  if (dialect === 'sqlite') return [`CREATE TABLE IF NOT EXISTS ${table} (${SQLITE_COLUMNS}\n)`];
  return [`CREATE TABLE IF NOT EXISTS ${table} (${MYSQL_COLUMNS}\n) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`];
}
