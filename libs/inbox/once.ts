/** An event's effect exactly once: its id and the effect are in one transaction, the id under a unique key. */
import { type Clock, RelayError, systemClock } from '#runtime';
import { type InboxOptions, inboxKey, type OnceOutcome } from './inbox-table.ts';
import { type MysqlTransaction, onceOnMysql } from './once-mysql.ts';
import { onceOnSqlite, type SqliteTransaction } from './once-sqlite.ts';

export const isSqlite = (tx: object): tx is SqliteTransaction =>
  typeof (tx as SqliteTransaction | null)?.isTransaction === 'boolean';

export type MysqlHandler<Tx> = (tx: Tx) => Promise<unknown> | unknown;
/** Synchronous: a promise is refused when it comes. */
export type SqliteHandler = (tx: SqliteTransaction) => unknown;

/** For tests: SQLite has no clock of its own that a test could set. */
export interface OnceOptions extends InboxOptions {
  readonly clock?: Pick<Clock, 'wallMs'>;
}

/**
 * Inserts `eventId` into the inbox and runs `handler`, both in the transaction that the caller has begun on `tx`: they are
 * committed together or not at all. Answers `duplicate`, without running the handler, when the id is there already; a
 * transaction elsewhere that holds the same id is waited for. Commit in both cases, then commit the offset.
 *
 * `tx` is a connection of mysql2 (promises or callbacks) or a database of node:sqlite, where all is synchronous.
 * When the handler throws, its effects and the id are undone and the error comes through: roll back.
 * Throws CONFIG_INVALID without a transaction, DB_ROW_REFUSED for an empty or too long id, DB_TRANSIENT when the transaction
 * ended inside the handler; errors of the driver come through as they are: roll back, and try again if you like.
 */
export function once<Tx extends MysqlTransaction>(
  tx: Tx,
  eventId: string,
  handler: MysqlHandler<Tx>,
  options?: OnceOptions,
): Promise<OnceOutcome>;
export function once(
  tx: SqliteTransaction,
  eventId: string,
  handler: SqliteHandler,
  options?: OnceOptions,
): OnceOutcome;
export function once(
  tx: MysqlTransaction | SqliteTransaction,
  eventId: string,
  handler: (tx: never) => unknown,
  options: OnceOptions = {},
): Promise<OnceOutcome> | OnceOutcome {
  const run = () => handler(tx as never);
  if (isSqlite(tx)) {
    requireHandler(handler);
    return onceOnSqlite(tx, inboxKey(eventId, 'sqlite', options), (options.clock ?? systemClock).wallMs(), run);
  }
  // Inside a promise, so that a bad id is a rejection here too.
  return Promise.resolve().then(() => {
    if (!isGiven(tx)) {
      throw new RelayError('CONFIG_INVALID', 'once() needs a connection of mysql2 or a database of node:sqlite');
    }
    requireHandler(handler);
    return onceOnMysql(tx, inboxKey(eventId, 'mysql', options), run);
  });
}

// What types do not stop in plain JavaScript.
const isGiven = (tx: unknown): boolean => typeof tx === 'object' && tx !== null;

function requireHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw new RelayError('CONFIG_INVALID', 'once() needs a handler: a function');
}
