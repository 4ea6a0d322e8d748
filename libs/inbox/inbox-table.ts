/** The table of handled events: its name, its DDL, and what may be an id. */
import { createHash } from 'node:crypto';
import { quoteSqliteName, quoteTablePath } from '#database';
import { RelayError } from '#runtime';

export interface InboxOptions {
  /** Default `kafka_row_sender_inbox`; on a server `schema.name` is possible, a part with a dot in backticks; on SQLite any name. */
  readonly table?: string;
  /** Whose effects: several consumers of one event in one database each have their own name. Default `default`. */
  readonly consumer?: string;
}

export type InboxDialect = 'mysql' | 'sqlite';

/** `duplicate`: the id was there, its effect is in the database already. */
export type OnceOutcome = 'handled' | 'duplicate';

export const INBOX_TABLE = 'kafka_row_sender_inbox';
/** What a server's column holds; a longer id is kept as its digest. */
const ID_BYTES_MAX = 255;
/** No UTF-8 text begins with it, so that no id is taken for the digest of another. */
const DIGEST_MARK = Buffer.from([0xff]);
const CONSUMER_BYTES_MAX = 64;

/** Quoted. Throws CONFIG_INVALID for what is no name in that dialect. */
export const quoteInboxTable = (table: string, dialect: InboxDialect): string =>
  dialect === 'sqlite' ? quoteSqliteName(table) : quoteTablePath(table);

/**
 * The statements that make the table, each to be run by itself. Ids are compared byte by byte: with a collation, two
 * events whose ids differ in case or in trailing spaces would count as one, and the second would never be handled.
 * Throws CONFIG_INVALID for what is no name in that dialect.
 */
export function inboxTableSql(options: { readonly table?: string; readonly dialect?: InboxDialect } = {}): string[] {
  const { table: name = INBOX_TABLE, dialect = 'mysql' } = options;
  const table = quoteInboxTable(name, dialect);
  if (dialect === 'sqlite') {
    const index = quoteInboxTable(`${name}_age`, dialect);
    return [
      `CREATE TABLE IF NOT EXISTS ${table} (consumer TEXT NOT NULL, event_id TEXT NOT NULL, handled_at INTEGER NOT NULL, PRIMARY KEY (consumer, event_id)) WITHOUT ROWID`,
      `CREATE INDEX IF NOT EXISTS ${index} ON ${table} (handled_at)`,
    ];
  }
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (consumer VARBINARY(${CONSUMER_BYTES_MAX}) NOT NULL, event_id VARBINARY(${ID_BYTES_MAX}) NOT NULL, handled_at DATETIME(3) NOT NULL COMMENT 'UTC', PRIMARY KEY (consumer, event_id), KEY age (handled_at)) ENGINE=InnoDB`,
  ];
}

/** The key of an event in the table. */
export interface InboxKey {
  /** Quoted. */
  readonly table: string;
  readonly consumer: string;
  readonly eventId: string;
  /** The id as a server's column keeps it. */
  readonly idBytes: Buffer;
}

function keptBytes(eventId: string): Buffer {
  const bytes = Buffer.from(eventId, 'utf8');
  if (bytes.length <= ID_BYTES_MAX) return bytes;
  return Buffer.concat([DIGEST_MARK, createHash('sha256').update(bytes).digest()]);
}

/**
 * Throws DB_ROW_REFUSED for an id that is empty or not well-formed: every half of a surrogate pair becomes the same bytes of UTF-8,
 * so that two events would be taken for one.
 */
export function inboxKey(eventId: string, dialect: InboxDialect, options: InboxOptions = {}): InboxKey {
  const { table = INBOX_TABLE, consumer = 'default' } = options;
  if (typeof eventId !== 'string') throw new RelayError('DB_ROW_REFUSED', 'an event id is a text');
  if (!eventId.isWellFormed()) throw new RelayError('DB_ROW_REFUSED', 'an event id has half of a surrogate pair');
  if (!consumer.isWellFormed())
    throw new RelayError('CONFIG_INVALID', "the inbox's consumer has half of a surrogate pair");
  if (eventId === '') throw new RelayError('DB_ROW_REFUSED', 'an event id is a text that is not empty');
  if (Buffer.byteLength(consumer) > CONSUMER_BYTES_MAX) {
    throw new RelayError('CONFIG_INVALID', `the inbox's consumer has more than ${CONSUMER_BYTES_MAX} bytes`);
  }
  return { table: quoteInboxTable(table, dialect), consumer, eventId, idBytes: keptBytes(eventId) };
}
