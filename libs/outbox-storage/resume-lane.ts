/** The operator's word on a lane that was halted or paused. */
import type { Pool } from '#database';
import { laneEnd, laneFloor, type OutboxTables } from '#outbox';
import { RelayError } from '#runtime';
import { quoteTables } from './tables.ts';

/**
 * Where the lane goes on from. `as-is`: `delivered_id` stays. A number: everything at or below it counts as delivered, as found
 * out by the operator. `marker-lost`: as if no marker had ever been written, so that the next holder writes the first one anew
 * at the lane's floor; rows still in the outbox are then delivered, again if they had been.
 */
export type ResumeFrom = 'as-is' | 'marker-lost' | { readonly deliveredId: number };

/** False when the lane does not exist. Throws CONFIG_INVALID for an id the lane does not own. */
export async function resumeLane(
  pool: Pool,
  tables: OutboxTables,
  lane: number,
  from: ResumeFrom = 'as-is',
): Promise<boolean> {
  const { lane: table } = quoteTables(tables);
  const running = "state = 'running', why = NULL, updated_at = NOW(6)";
  if (from === 'as-is') {
    return (await pool.run(`UPDATE ${table} SET ${running} WHERE lane = ?`, [lane])).affectedRows === 1;
  }
  const deliveredId = from === 'marker-lost' ? null : from.deliveredId;
  if (deliveredId !== null && (deliveredId < laneFloor(lane) || deliveredId >= laneEnd(lane))) {
    throw new RelayError('CONFIG_INVALID', `lane ${lane} does not own the id ${deliveredId}`);
  }
  const sql = `UPDATE ${table} SET ${running}, delivered_id = ? WHERE lane = ?`;
  return (await pool.run(sql, [deliveredId, lane])).affectedRows === 1;
}
