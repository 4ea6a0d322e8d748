/** All lanes, ascending. */
import type { LaneRow } from '#outbox';
import { LANE_COLUMNS, type LaneColumns, toLane } from './lane-row.ts';
import type { Storage } from './storage.ts';

export async function listLanes({ pool, tables }: Storage): Promise<readonly LaneRow[]> {
  const rows = await pool.query<LaneColumns>(`SELECT ${LANE_COLUMNS} FROM ${tables.lane} ORDER BY lane`);
  return rows.map(toLane);
}
