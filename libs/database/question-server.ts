/**
 * Read-only questions whose answers differ from engine to engine, whatever the server calls itself.
 *
 * Executable comments tell most. Only MariaDB executes a comment that begins with M! and only TiDB one with T!. MySQL executes
 * a comment that begins with ! and a number up to its own version; MariaDB leaves out those from 50700 to 99999. The number is
 * compared with the version that was compiled into the server, so that no setting and no proxy changes the answer. An imitator
 * of MySQL executes any number. (Tried: MariaDB 10.11 and 11.8, MySQL 9.7, go-mysql-server 0.20. By their documentation: others.)
 */
import { asDatabaseError, errnoOf } from './as-database-error.ts';

/** The one thing detection needs, so that it can be tested without a server. */
export interface EngineQuery {
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
}

type Rows = readonly Readonly<Record<string, unknown>>[];

/** 0: the comments are not executed; 1: the engine is older than we need; 2: it is new enough. */
export type MarkLevel = 0 | 1 | 2;

/** What a server says of itself, and which executable comments it executes: one round trip. */
export interface Introduction {
  readonly version: string;
  readonly comment: string;
  readonly mariadb: MarkLevel;
  readonly mysql: MarkLevel;
  readonly tidb: boolean;
  /** Executes a comment for MySQL 9.99.99: imitators of MySQL execute any number. */
  readonly anyNumber: boolean;
}

export interface Sizes {
  readonly statementBytesMax: number;
  readonly autoIncrementIncrement: number;
  readonly autoIncrementOffset: number;
}

/** Variables that tell engines apart, and those of `Sizes`. */
const VARIABLES = [
  'auto_increment_increment',
  'auto_increment_offset',
  'dolt_transaction_commit',
  'idle_transaction_timeout',
  'information_schema_stats_expiry',
  'innodb_page_size',
  'innodb_version',
  'memsql_version',
  'ob_query_timeout',
  'pseudo_thread_id',
  'tidb_txn_mode',
] as const;

export type Variables = ReadonlyMap<(typeof VARIABLES)[number], string>;

/** The aliases are words that no engine reserves. */
const NAMES = 'VERSION() AS said_version, @@version_comment AS said_comment, @@max_allowed_packet AS packet_bytes';
/** The second number of each is the oldest version we take: MariaDB 10.6.0, MySQL 8.0.22. */
const MARKS = `CONNECTION_ID() AS connection_number, 0 /*M!50000 + 1 */ /*M!100600 + 1 */ AS mariadb_level,
  0 /*!80000 + 1 */ /*!80022 + 1 */ AS mysql_level, 0 /*T! + 1 */ AS tidb_level, 0 /*!99999 + 1 */ AS any_number`;
const STEPS = '@@auto_increment_increment AS step_size, @@auto_increment_offset AS step_start';

/** ER_PARSE_ERROR, unknown variable, column, table or function, not supported, no right to see it. */
const NOT_THERE: ReadonlySet<number> = new Set([1054, 1064, 1109, 1142, 1146, 1149, 1193, 1227, 1235, 1305, 2809]);
/** ER_UNKNOWN_ERROR: some engines say it of what they do not know, Aurora once of a transaction that a patch ended. */
const PERHAPS_NOT_THERE = 1105;

/**
 * Null when the server has no such thing or does not show it to us. Rejects with every other fault: an engine must not be
 * taken for another because a server was lost, full or out of time.
 */
async function ask(session: EngineQuery, sql: string, isAgain = false): Promise<Rows | null> {
  try {
    return await session.query(sql);
  } catch (thrown) {
    const error = asDatabaseError(thrown, 'asking the database what it is');
    const errno = errnoOf(error);
    if (errno === PERHAPS_NOT_THERE) return isAgain ? null : ask(session, sql, true);
    if (errno !== null && NOT_THERE.has(errno)) return null;
    throw error;
  }
}

const markLevel = (value: unknown): MarkLevel => Math.min(2, Math.max(0, Number(value ?? 0))) as MarkLevel;

export interface Introduced extends Introduction {
  readonly connectionId: string | null;
  readonly sizes: Sizes;
}

/** A server that stumbles over the comments is asked without them. */
export async function askIntroduction(session: EngineQuery): Promise<Introduced> {
  return introducedOf((await ask(session, `SELECT ${NAMES}, ${MARKS}`)) ?? (await session.query(`SELECT ${NAMES}`)));
}

/** The same of a server that is thought to be MariaDB or MySQL; null when it does not know what they both know. */
export async function askIntroductionAgain(session: EngineQuery): Promise<Introduced | null> {
  const rows = await ask(session, `SELECT ${NAMES}, ${MARKS}, ${STEPS}`);
  return rows === null ? null : introducedOf(rows);
}

function introducedOf([row = {}]: Rows): Introduced {
  return {
    version: String(row.said_version ?? ''),
    comment: String(row.said_comment ?? ''),
    mariadb: markLevel(row.mariadb_level),
    mysql: markLevel(row.mysql_level),
    tidb: Number(row.tidb_level ?? 0) > 0,
    anyNumber: Number(row.any_number ?? 0) > 0,
    connectionId: row.connection_number === undefined ? null : String(row.connection_number),
    sizes: {
      statementBytesMax: Number(row.packet_bytes ?? 1_048_576),
      autoIncrementIncrement: Number(row.step_size ?? 1),
      autoIncrementOffset: Number(row.step_start ?? 1),
    },
  };
}

/** SingleStore documents only LIKE, so a server that refuses WHERE is asked for SingleStore's own variable alone. */
export async function askVariables(session: EngineQuery): Promise<Variables> {
  const names = VARIABLES.map((name) => `'${name}'`).join(', ');
  const rows =
    (await ask(session, `SHOW VARIABLES WHERE Variable_name IN (${names})`)) ??
    (await ask(session, "SHOW VARIABLES LIKE 'memsql_version'")) ??
    [];
  return new Map(
    rows.map((row) => [String(row.Variable_name).toLowerCase() as (typeof VARIABLES)[number], String(row.Value)]),
  );
}

/** MariaDB's own number where the server presents another: the version of the InnoDB inside. */
export async function askMariadbNumber(session: EngineQuery): Promise<string | null> {
  const rows = await ask(
    session,
    "SELECT plugin_auth_version AS own_number FROM information_schema.plugins WHERE plugin_name = 'InnoDB'",
  );
  const number = rows?.[0]?.own_number;
  return typeof number === 'string' ? number : null;
}

/** Only Vitess has the statement; elsewhere it does not parse. */
export async function isVitess(session: EngineQuery): Promise<boolean> {
  return (await ask(session, 'SHOW VITESS_TARGET')) !== null;
}

/** The statement has come with MariaDB 10.6 and MySQL 8.0.1: for servers whose number is nowhere to be had. */
export async function takesSkipLocked(session: EngineQuery): Promise<boolean> {
  return (await ask(session, 'SELECT 1 FROM DUAL FOR UPDATE SKIP LOCKED')) !== null;
}
