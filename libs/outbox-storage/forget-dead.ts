/** Retention of dead letters, where the operator asked for one: rows given up long ago are deleted, oldest first. */

import type { Pool } from '#database';
import type { OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

/** Deletes at most `rowsMax` rows that are dead since `retentionMs`; resolves to how many. Parked rows are never among them. */
export async function forgetDead(
  pool: Pool,
  tables: OutboxTables,
  retentionMs: number,
  rowsMax: number,
): Promise<number> {
  const sql = `DELETE FROM ${quoteTables(tables).deadLetter} WHERE state = 'dead' AND last_at < NOW(6) - INTERVAL ? MICROSECOND ORDER BY id LIMIT ?`;
  return (await pool.run(sql, [retentionMs * 1_000, rowsMax])).affectedRows;
}
