/** What an operator does with rows the relay gave up on: look, try again, drop. */
import type { Pool } from '#database';
import type { AsideRow } from '#outbox';
import { ASIDE_COLUMNS, type AsideColumns, toAside } from './aside-row.ts';
import { type OutboxTables, quoteTables } from './tables.ts';

export interface DeadLetter extends AsideRow {
  readonly error: string;
  /** By the database's clock, UTC, as `2026-01-31 12:00:00.000000`. */
  readonly firstAt: string;
  readonly lastAt: string;
}

interface DeadLetterColumns extends AsideColumns {
  readonly error: string;
  readonly first_at: string;
  readonly last_at: string;
}

/** Spent its attempts: dead, or parked with its key's later rows behind it. Those later rows have no attempts yet. */
const GIVEN_UP = "(state = 'dead' OR (state = 'parked' AND attempts > 0))";

/** Rows given up with id > after, in id order, at most `rowsMax`. */
export async function listDeadLetters(
  pool: Pool,
  tables: OutboxTables,
  rowsMax: number,
  after = -1,
): Promise<readonly DeadLetter[]> {
  const rows = await pool.query<DeadLetterColumns>(
    `SELECT ${ASIDE_COLUMNS}, d.error, d.first_at, d.last_at FROM ${quoteTables(tables).deadLetter} d WHERE ${GIVEN_UP} AND d.id > ? ORDER BY d.id LIMIT ?`,
    [after, rowsMax],
  );
  return rows.map((row) => ({ ...toAside(row), error: row.error, firstAt: row.first_at, lastAt: row.last_at }));
}

/** Lets a row given up be tried again from its first attempt, due now. False when there is no such row. */
export async function requeueDead(pool: Pool, tables: OutboxTables, id: number): Promise<boolean> {
  const sql = `UPDATE ${quoteTables(tables).deadLetter} SET state = 'retrying', attempts = 0, attempt_token = 0, due_at = NOW(6), last_at = NOW(6) WHERE id = ? AND ${GIVEN_UP}`;
  return (await pool.run(sql, [id])).affectedRows === 1;
}

/** Deletes a row given up, for good. False when there is no such row. */
export async function dropDead(pool: Pool, tables: OutboxTables, id: number): Promise<boolean> {
  const sql = `DELETE FROM ${quoteTables(tables).deadLetter} WHERE id = ? AND ${GIVEN_UP}`;
  return (await pool.run(sql, [id])).affectedRows === 1;
}
