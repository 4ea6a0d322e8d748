/** Retention: ids older than any event that can still come again, in batches that lock little. */
import type { Connection, Pool } from 'mysql2/promise';
import { numberLiteral } from '#database';
import { type Clock, RelayError, systemClock } from '#runtime';
import { INBOX_TABLE, quoteInboxTable } from './inbox-table.ts';
import { isSqlite } from './once.ts';
import type { SqliteTransaction } from './once-sqlite.ts';

export interface PruneOptions {
  readonly table?: string;
  /**
   * How long an id is kept, in milliseconds: longer than Kafka keeps the records, and longer than dead letters wait for a
   * redrive, because an event that comes after its id is gone is handled again. Default 14 days.
   */
  readonly retentionMs?: number;
  /** Rows a statement. Default 1,000. */
  readonly batchRowsMax?: number;
  /** Statements a call. Default 1,000. */
  readonly batchesMax?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Pick<Clock, 'wallMs'>;
}

export interface PruneResult {
  readonly rows: number;
  /** False when `batchesMax` or the signal ended it: more rows are due. */
  readonly done: boolean;
}

const DAY_MS = 86_400_000;

type DeleteBatch = () => Promise<number> | number;

function mysqlBatch(connection: Connection | Pool, table: string, retentionMs: number, rowsMax: number): DeleteBatch {
  const age = `INTERVAL ${numberLiteral(BigInt(retentionMs) * 1_000n)} MICROSECOND`;
  const due = `handled_at < UTC_TIMESTAMP(3) - ${age} ORDER BY handled_at LIMIT ${numberLiteral(rowsMax)}`;
  return async () => {
    const [answer] = await connection.query(`DELETE FROM ${table} WHERE ${due}`);
    return (answer as { affectedRows?: number }).affectedRows ?? 0;
  };
}

function sqliteBatch(db: SqliteTransaction, table: string, before: number, rowsMax: number): DeleteBatch {
  // Node's SQLite is built without DELETE .. LIMIT.
  const due = `SELECT consumer, event_id FROM ${table} WHERE handled_at < ? ORDER BY handled_at LIMIT ?`;
  const statement = db.prepare(`DELETE FROM ${table} WHERE (consumer, event_id) IN (${due})`);
  return () => Number(statement.run(before, rowsMax).changes);
}

function checkBound(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RelayError('CONFIG_INVALID', `${name} must be a whole number above 0`);
}

/**
 * Deletes ids that are older than the retention, each batch in a transaction of its own. Call it outside of transactions.
 * Throws CONFIG_INVALID for a bound below 1; errors of the driver come through, with the batches before done.
 */
export async function pruneInbox(
  database: Connection | Pool | SqliteTransaction,
  options: PruneOptions = {},
): Promise<PruneResult> {
  const { retentionMs = 14 * DAY_MS, batchRowsMax = 1_000, batchesMax = 1_000, signal } = options;
  checkBound('retentionMs', retentionMs);
  checkBound('batchRowsMax', batchRowsMax);
  checkBound('batchesMax', batchesMax);
  const table = quoteInboxTable(options.table ?? INBOX_TABLE, isSqlite(database) ? 'sqlite' : 'mysql');
  const before = Math.trunc((options.clock ?? systemClock).wallMs() - retentionMs);
  const deleteBatch = isSqlite(database)
    ? sqliteBatch(database, table, before, batchRowsMax)
    : mysqlBatch(database, table, retentionMs, batchRowsMax);
  let rows = 0;
  for (let batch = 0; batch < batchesMax && signal?.aborted !== true; batch += 1) {
    const deleted = await deleteBatch();
    rows += deleted;
    if (deleted < batchRowsMax) return { rows, done: true };
  }
  return { rows, done: false };
}
