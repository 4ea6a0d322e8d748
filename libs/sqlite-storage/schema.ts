/** The statements that make the tables. Types of columns are hints in SQLite: what is written is what is kept. */
import { NOW, type QuotedTables } from './tables.ts';

export const SCHEMA_VERSION = 5;

const MESSAGE_COLUMNS = `
  event_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  record_key BLOB,
  payload BLOB,
  headers TEXT,
  size INTEGER NOT NULL,`;

/** Whether the writer may lead the source, and how often its ids have begun anew. */
const STATE_COLUMNS = ["state TEXT NOT NULL DEFAULT 'running'", 'cause TEXT', 'why TEXT', 'incarnations TEXT'];

/** Each can be run again without harm. Times are milliseconds since the epoch. */
export function schemaStatements(tables: QuotedTables): readonly string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${tables.outbox} (
  id INTEGER PRIMARY KEY,${MESSAGE_COLUMNS}
  created_at INTEGER NOT NULL
)`,
    `CREATE TABLE IF NOT EXISTS ${tables.lane} (
  lane INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  delivered_id INTEGER,
  holder TEXT,
  claim_epoch INTEGER NOT NULL,
  lease_until INTEGER,
  fence_ids TEXT NOT NULL,
  doubts TEXT,
  state TEXT NOT NULL,
  why TEXT,
  updated_at INTEGER NOT NULL
)`,
    `CREATE TABLE IF NOT EXISTS ${tables.member} (
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  heartbeat_at INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  stalls TEXT,
  PRIMARY KEY (id, kind)
)`,
    `CREATE TABLE IF NOT EXISTS ${tables.deadLetter} (
  id INTEGER PRIMARY KEY,
  lane INTEGER NOT NULL,
  state TEXT NOT NULL,${MESSAGE_COLUMNS}
  attempts INTEGER NOT NULL,
  attempt_token INTEGER NOT NULL,
  waits_for TEXT,
  error TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL
)`,
    `CREATE INDEX IF NOT EXISTS ${indexOf(tables.deadLetter, 'by_state')} ON ${tables.deadLetter} (lane, state, id)`,
    `CREATE INDEX IF NOT EXISTS ${indexOf(tables.deadLetter, 'by_key')} ON ${tables.deadLetter} (lane, record_key, id)`,
    `CREATE INDEX IF NOT EXISTS ${indexOf(tables.deadLetter, 'by_target')} ON ${tables.deadLetter} (lane, waits_for, id, size)`,
    `CREATE INDEX IF NOT EXISTS ${indexOf(tables.deadLetter, 'by_attempt')} ON ${tables.deadLetter} (lane, attempt_token)`,
    `CREATE TABLE IF NOT EXISTS ${tables.topic} (
  topic TEXT PRIMARY KEY NOT NULL,
  sent_until INTEGER NOT NULL
)`,
    ...sourceTables(tables),
    `CREATE TABLE IF NOT EXISTS ${tables.file} (
  file_id TEXT NOT NULL,
  schema_version INTEGER NOT NULL
)`,
  ];
}

/** What is kept of sources. */
const sourceTables = (tables: QuotedTables): readonly string[] => [
  `CREATE TABLE IF NOT EXISTS ${tables.gap} (
  source TEXT NOT NULL,
  page TEXT NOT NULL,
  first_position TEXT NOT NULL,
  last_position TEXT NOT NULL,
  missing TEXT NOT NULL,
  ranges INTEGER NOT NULL,
  detail TEXT NOT NULL,
  opened_at INTEGER NOT NULL DEFAULT (${NOW}),
  PRIMARY KEY (source, page)
)`,
  // The position is a text because a watermark may be any 64-bit number, signed or not.
  `CREATE TABLE IF NOT EXISTS ${tables.watermark} (
  source TEXT PRIMARY KEY NOT NULL,
  position TEXT NOT NULL,
  next_sequence INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  leader TEXT,
  updated_at INTEGER NOT NULL,
${STATE_COLUMNS.map((column) => `  ${column}`).join(',\n')}
)`,
  `CREATE TABLE IF NOT EXISTS ${tables.sourceFacts} (
  source TEXT PRIMARY KEY NOT NULL,
  delivered_columns TEXT,
  mark TEXT,
  sample TEXT,
  next_position TEXT,
  updated_at INTEGER NOT NULL
)`,
];

/** Names of indexes are the whole file's in SQLite, so they carry their table's. */
const indexOf = (quotedTable: string, name: string): string => `"${quotedTable.slice(1, -1)}_${name}"`;
