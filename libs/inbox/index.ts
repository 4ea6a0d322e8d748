/**
 * Rank 2: the inbox, which makes an event's effect in a database happen exactly once however often the event comes. The id
 * of the event goes under a unique key, in one transaction with the effect: after a crash either both are there or neither.
 * Promises: exactly one effect for each id and consumer, as long as the id is kept (`pruneInbox`). Does not promise order.
 */
export {
  eventIdFromHeader,
  eventIdFromPosition,
  type InboxMessage,
  type InboxRunOptions,
  inboxRunConfig,
} from './inbox-run-config.ts';
export { INBOX_TABLE, type InboxDialect, type InboxOptions, inboxTableSql, type OnceOutcome } from './inbox-table.ts';
export { type MysqlHandler, type OnceOptions, once, type SqliteHandler } from './once.ts';
export type { MysqlTransaction } from './once-mysql.ts';
export type { SqliteTransaction } from './once-sqlite.ts';
export { type PruneOptions, type PruneResult, pruneInbox } from './prune-inbox.ts';
export { type InboxDatabase, type InboxHandler, type InboxTx, transactOnce } from './transact-once.ts';
