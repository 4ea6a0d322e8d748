/** Lanes with rows set aside that wait for an attempt, and when the first of them is due: what a scheduler needs to know. */

import type { Pool } from '#database';
import type { OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

export interface DueLane {
  readonly lane: number;
  /** Milliseconds until the first attempt is due, by the database's clock; 0 or less: due now. */
  readonly dueInMs: number;
}

export async function listDueLanes(pool: Pool, tables: OutboxTables): Promise<readonly DueLane[]> {
  const rows = await pool.query<{ lane: number; due: string }>(
    `SELECT lane, MIN(TIMESTAMPDIFF(MICROSECOND, NOW(6), due_at)) AS due FROM ${quoteTables(tables).deadLetter} WHERE state = 'retrying' GROUP BY lane ORDER BY lane`,
  );
  return rows.map(({ lane, due }) => ({ lane, dueInMs: Math.ceil(Number(due) / 1_000) }));
}
