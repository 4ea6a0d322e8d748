/** What an operator does with rows the relay gave up on: look, try again, drop. */
import type { Pool } from '#database';
import type { AsideRow, OutboxTables } from '#outbox';
import { ASIDE_COLUMNS, type AsideColumns, toAside } from './aside-row.ts';
import { quoteTables } from './tables.ts';

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

/**
 * Waits for the operator: dead; or parked after its attempts, with its key's later rows behind it (those have no attempts); or
 * refused until its lane was halted over it.
 */
const givenUp = ({ lane }: OutboxTables): string =>
  `(d.state = 'dead' OR (d.state = 'parked' AND d.attempts > 0) OR (d.state = 'retrying' AND d.attempts > 0 AND d.attempt_token = 0 AND EXISTS (SELECT 1 FROM ${lane} l WHERE l.lane = d.lane AND l.state = 'halted')))`;

/** Kafka refused it, and nobody is trying it at this moment: a row that only waits behind its key is not the operator's to drop. */
const DROPPABLE = "(state = 'dead' OR (attempt_token = 0 AND (state = 'retrying' OR attempts > 0)))";

export interface ListAsideOptions {
  readonly rowsMax: number;
  /** Only ids above it. */
  readonly after?: number;
  /** Also rows that are still being tried, and rows that wait behind their keys. */
  readonly all?: boolean;
}

/** Rows that wait for the operator, or every row set aside, in id order. */
export async function listDeadLetters(
  pool: Pool,
  tables: OutboxTables,
  { rowsMax, after = -1, all = false }: ListAsideOptions,
): Promise<readonly DeadLetter[]> {
  const quoted = quoteTables(tables);
  const which = all ? 'd.id > ?' : `${givenUp(quoted)} AND d.id > ?`;
  const rows = await pool.query<DeadLetterColumns>(
    `SELECT ${ASIDE_COLUMNS}, d.error, d.first_at, d.last_at FROM ${quoted.deadLetter} d WHERE ${which} ORDER BY d.id LIMIT ?`,
    [after, rowsMax],
  );
  return rows.map((row) => ({ ...toAside(row), error: row.error, firstAt: row.first_at, lastAt: row.last_at }));
}

/** Lets a row given up be tried again from its first attempt, due now. False when there is no such row. */
export async function requeueDead(pool: Pool, tables: OutboxTables, id: number): Promise<boolean> {
  const quoted = quoteTables(tables);
  const sql = `UPDATE ${quoted.deadLetter} d SET d.state = 'retrying', d.attempts = 0, d.attempt_token = 0, d.due_at = NOW(6), d.last_at = NOW(6) WHERE d.id = ? AND ${givenUp(quoted)}`;
  return (await pool.run(sql, [id])).affectedRows === 1;
}

/**
 * Deletes a refused row for good. False when there is no such row, or an attempt of it is under way: who begins one writes its
 * token first, and a sender that finds the row gone does not send it.
 */
export async function dropDead(pool: Pool, tables: OutboxTables, id: number): Promise<boolean> {
  const sql = `DELETE FROM ${quoteTables(tables).deadLetter} WHERE id = ? AND ${DROPPABLE}`;
  return (await pool.run(sql, [id])).affectedRows === 1;
}
