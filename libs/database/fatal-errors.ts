/**
 * The server errors that end what was asked for, each with the reason why waiting cannot mend it. Every other error of a server is
 * tried again with backoff: a number that nobody has thought of must not end a relay. docs/operations.md shows this table.
 */
import type { ErrorCode } from '#runtime';
import type { EngineKind } from './engine.ts';

export interface FatalError {
  readonly errno: number;
  /** The server's own name for it. */
  readonly name: string;
  readonly code: Extract<ErrorCode, 'DB_SCHEMA' | 'DB_UNSUPPORTED' | 'INTERNAL'>;
  readonly reason: string;
}

const GONE =
  'a table, column or index that the settings or this program name is not there: nothing can be read or written';
const DIALECT =
  'the server does not know a statement or setting of ours: another engine or version than it seems to be';
const TWICE =
  'a key that must be new is there already: the state of our own data is unknown, and going on could lose rows';

/** Numbers below 1900 are the same in MySQL, MariaDB and the engines that imitate them. */
const COMMON: readonly FatalError[] = [
  { errno: 1049, name: 'ER_BAD_DB_ERROR', code: 'DB_SCHEMA', reason: 'the database that DB_NAME names does not exist' },
  { errno: 1051, name: 'ER_BAD_TABLE_ERROR', code: 'DB_SCHEMA', reason: GONE },
  { errno: 1054, name: 'ER_BAD_FIELD_ERROR', code: 'DB_SCHEMA', reason: GONE },
  { errno: 1109, name: 'ER_UNKNOWN_TABLE', code: 'DB_SCHEMA', reason: GONE },
  { errno: 1136, name: 'ER_WRONG_VALUE_COUNT_ON_ROW', code: 'DB_SCHEMA', reason: GONE },
  { errno: 1146, name: 'ER_NO_SUCH_TABLE', code: 'DB_SCHEMA', reason: GONE },
  { errno: 1176, name: 'ER_KEY_DOES_NOT_EXITS', code: 'DB_SCHEMA', reason: GONE },
  { errno: 1193, name: 'ER_UNKNOWN_SYSTEM_VARIABLE', code: 'DB_SCHEMA', reason: DIALECT },
  { errno: 1305, name: 'ER_SP_DOES_NOT_EXIST', code: 'DB_SCHEMA', reason: DIALECT },
  { errno: 1356, name: 'ER_VIEW_INVALID', code: 'DB_SCHEMA', reason: GONE },
  {
    errno: 1364,
    name: 'ER_NO_DEFAULT_FOR_FIELD',
    code: 'DB_SCHEMA',
    reason: 'a table of ours has a column without default that this program does not fill',
  },
  { errno: 1064, name: 'ER_PARSE_ERROR', code: 'INTERNAL', reason: DIALECT },
  { errno: 1149, name: 'ER_SYNTAX_ERROR', code: 'INTERNAL', reason: DIALECT },
  { errno: 1115, name: 'ER_UNKNOWN_CHARACTER_SET', code: 'DB_UNSUPPORTED', reason: DIALECT },
  { errno: 1235, name: 'ER_NOT_SUPPORTED_YET', code: 'DB_UNSUPPORTED', reason: DIALECT },
  { errno: 1273, name: 'ER_UNKNOWN_COLLATION', code: 'DB_UNSUPPORTED', reason: DIALECT },
  { errno: 1286, name: 'ER_UNKNOWN_STORAGE_ENGINE', code: 'DB_UNSUPPORTED', reason: 'our tables need InnoDB' },
  { errno: 1062, name: 'ER_DUP_ENTRY', code: 'INTERNAL', reason: TWICE },
  { errno: 1586, name: 'ER_DUP_ENTRY_WITH_KEY_NAME', code: 'INTERNAL', reason: TWICE },
];

const MARIADB: readonly FatalError[] = [
  { errno: 1932, name: 'ER_NO_SUCH_TABLE_IN_ENGINE', code: 'DB_SCHEMA', reason: GONE },
];

/** What ends a command, or this process's work on a source, by engine. */
export const FATAL_ERRORS: Readonly<Record<EngineKind, readonly FatalError[]>> = {
  mariadb: [...COMMON, ...MARIADB],
  mysql: COMMON,
  singlestore: COMMON,
  tidb: COMMON,
  unknown: COMMON,
};

/** One list, for errors that come before the engine is known. */
export const FATAL_BY_ERRNO: ReadonlyMap<number, FatalError> = new Map(
  [...COMMON, ...MARIADB].map((fatal) => [fatal.errno, fatal]),
);
