/**
 * Every server setting that a statement of ours depends on, with the value that our sessions have whatever the server, its
 * configuration or its init_connect say, and why. A setting that a server does not know, or does not let us set, is left out there,
 * unless it is needed. session-setup.ts makes statements of it.
 */
import type { EngineKind } from './engine.ts';

export interface SessionSetting {
  readonly name: string;
  /** As SQL. */
  readonly value: string;
  /** Null: all that speak MySQL's dialect. */
  readonly engines: readonly EngineKind[] | null;
  /** Without it the session is of no use. */
  readonly needed: boolean;
  readonly why: string;
}

export interface SessionLimits {
  /** The deadline of a statement of ours. */
  readonly readTimeoutMs: number;
}

/** Our own waits on a row lock are short: a long one is somebody's stuck transaction, and we come again. */
export const LOCK_WAIT_SECONDS = 5;
/**
 * A paused or cut-off process of ours must not keep its row locks for hours: the server ends a connection that rests inside
 * a transaction this long. MySQL has no such limit; there the limit on any rest stands in for it, and the pool reconnects.
 */
const TRANSACTION_IDLE_SECONDS = 5;
const CONNECTION_IDLE_SECONDS: Readonly<Partial<Record<EngineKind, number>>> = { mysql: 20, mariadb: 120 };
/** So long after its deadline a statement is ended by the server itself, if nobody else could. */
const STATEMENT_SLACK_MS = 1_000;
/** A lock that is waited for is given up a little before the statement is: an answer costs less than a connection. */
const LOCK_SHARE = 0.75;
const MS_PER_SECOND = 1_000;
const STRICT_MODE = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';
const UNBOUNDED = '18446744073709551615';

const INNODB: readonly EngineKind[] = ['mariadb', 'mysql'];
const MARIADB: readonly EngineKind[] = ['mariadb'];
const MYSQL: readonly EngineKind[] = ['mysql'];

/** What a session must have to be one of ours. */
const NEEDED: readonly (readonly [string, string, string])[] = [
  ['autocommit', '1', 'a statement outside of a transaction is committed by itself'],
  [
    'sql_mode',
    `'${STRICT_MODE}'`,
    'set whole: neither NO_BACKSLASH_ESCAPES nor ANSI_QUOTES changes how statements are read, and nothing is cut',
  ],
  ['time_zone', "'+00:00'", 'leases and due times are compared with NOW()'],
];

/** What may be missing on some server, and then has no effect there. */
const WANTED: readonly (readonly [string, string, readonly EngineKind[] | null, string])[] = [
  ['sql_safe_updates', '0', null, 'our UPDATE and DELETE name their rows by other columns than a key as well'],
  ['sql_select_limit', UNBOUNDED, null, 'a result is cut by our own LIMIT only'],
  ['max_join_size', UNBOUNDED, INNODB, 'a SELECT is not refused for what the optimizer thinks of its size'],
  ['sql_big_selects', '1', INNODB, 'as max_join_size'],
  [
    'completion_type',
    "'NO_CHAIN'",
    INNODB,
    'COMMIT ends the transaction, begins no other and does not close the connection',
  ],
  ['timestamp', 'DEFAULT', INNODB, 'NOW() goes on: leases and due times depend on it'],
  [
    'foreign_key_checks',
    '1',
    INNODB,
    'rows that are taken out of an outbox table are still guarded by their references',
  ],
  ['unique_checks', '1', INNODB, 'a key that is there already is refused'],
  ['sql_auto_is_null', '0', INNODB, 'IS NULL finds NULL only'],
  ['group_concat_max_len', '1048576', INNODB, 'lists of columns and indexes are not cut'],
  ['div_precision_increment', '4', INNODB, 'quotients have as many digits as they are read with'],
  ['sql_quote_show_create', '1', INNODB, 'names are quoted in what SHOW CREATE TABLE gives'],
  ['sql_buffer_result', '0', INNODB, 'rows come as they are read, and no temporary table is filled first'],
  ['max_sort_length', '1024', INNODB, 'names are sorted as a whole'],
  ['innodb_strict_mode', '1', INNODB, 'init makes the tables as asked for, or fails'],
  ['default_storage_engine', 'InnoDB', INNODB, 'as innodb_strict_mode'],
  ['tx_read_only', '0', MARIADB, 'a transaction may write'],
  ['transaction_read_only', '0', MYSQL, 'a transaction may write'],
  ['old_mode', "'UTF8_IS_UTF8MB3'", MARIADB, 'no behaviour of older versions'],
  ['sql_if_exists', '0', MARIADB, 'DDL says what it did'],
  ['check_constraint_checks', '1', MARIADB, 'a value that is no JSON is refused where the table says so'],
  ['in_predicate_conversion_threshold', '1000', MARIADB, 'lists of ids are read by the index'],
  ['optimizer_max_sel_arg_weight', '32000', MARIADB, 'ranges of ids are read by the index'],
  ['range_optimizer_max_mem_size', '8388608', MYSQL, 'ranges of ids are read by the index'],
  ['sql_generate_invisible_primary_key', '0', MYSQL, 'init makes the tables as asked for'],
  ['use_secondary_engine', 'OFF', MYSQL, 'a copy in another engine lags behind what was committed'],
  [
    'group_replication_consistency',
    "'BEFORE_ON_PRIMARY_FAILOVER'",
    MYSQL,
    'a new primary answers once it has what the old one had',
  ],
];

/** Bounds at the server of what we wait for, so that what was given up here does not go on there. */
function bounds(kind: EngineKind, { readTimeoutMs }: SessionLimits): readonly (readonly [string, string])[] {
  const deadlineS = Math.max(1, Math.ceil(readTimeoutMs / MS_PER_SECOND));
  const lockS = Math.max(1, Math.floor((readTimeoutMs * LOCK_SHARE) / MS_PER_SECOND));
  const rowLock: readonly [string, string] = ['innodb_lock_wait_timeout', String(Math.min(LOCK_WAIT_SECONDS, lockS))];
  const common: readonly (readonly [string, string])[] = [
    rowLock,
    ['lock_wait_timeout', String(lockS)],
    ['net_read_timeout', String(deadlineS)],
    ['net_write_timeout', String(deadlineS)],
    ['wait_timeout', String(CONNECTION_IDLE_SECONDS[kind] ?? 0)],
  ];
  const idle = String(TRANSACTION_IDLE_SECONDS);
  switch (kind) {
    case 'mariadb':
      return [
        ...common,
        ['max_statement_time', String((readTimeoutMs + STATEMENT_SLACK_MS) / MS_PER_SECOND)],
        ['idle_transaction_timeout', idle],
        ['idle_readonly_transaction_timeout', idle],
        ['idle_write_transaction_timeout', idle],
      ];
    case 'mysql':
      return [...common, ['max_execution_time', String(readTimeoutMs + STATEMENT_SLACK_MS)]];
    case 'tidb':
      return [rowLock, ['max_execution_time', String(readTimeoutMs + STATEMENT_SLACK_MS)]];
    default:
      return [];
  }
}

const BOUND = 'what was given up here ends at the server too';
/** A session without them is not refused by anybody, and stays ours. */
const NEEDED_BOUNDS: ReadonlySet<string> = new Set(['innodb_lock_wait_timeout', 'idle_transaction_timeout']);

export function sessionSettings(kind: EngineKind, limits: SessionLimits): readonly SessionSetting[] {
  if (kind === 'singlestore') {
    // READ COMMITTED by nature; setting time_zone does nothing there.
    return [
      { name: 'autocommit', value: '1', engines: null, needed: true, why: 'as elsewhere' },
      { name: 'sql_mode', value: "'STRICT_ALL_TABLES'", engines: null, needed: true, why: 'nothing is cut' },
    ];
  }
  return [
    ...NEEDED.map(([name, value, why]) => ({ name, value, engines: null, needed: true, why })),
    ...WANTED.map(([name, value, engines, why]) => ({ name, value, engines, needed: false, why })),
    ...bounds(kind, limits).map(([name, value]) => ({
      name,
      value,
      engines: null,
      needed: NEEDED_BOUNDS.has(name),
      why: BOUND,
    })),
  ].filter(({ engines }) => engines === null || engines.includes(kind));
}
