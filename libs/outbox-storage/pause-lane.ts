/** The operator stops a lane for a while: its holder loses it at the next renewal, and nobody claims it until it is resumed. */

import type { Pool } from '#database';
import type { OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

/** False when the lane is not running. */
export async function pauseLane(pool: Pool, tables: OutboxTables, lane: number, why: string): Promise<boolean> {
  const sql = `UPDATE ${quoteTables(tables).lane} SET state = 'paused', why = ?, updated_at = NOW(6) WHERE lane = ? AND state = 'running'`;
  return (await pool.run(sql, [why, lane])).affectedRows === 1;
}
