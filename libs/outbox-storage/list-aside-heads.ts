/** The rows aside that are next: of each lane and key the one with the lowest id, since order per key holds for retries, too. */
import type { AsideRow } from '#outbox';
import { ASIDE_COLUMNS, type AsideColumns, toAside } from './aside-row.ts';
import type { Storage } from './storage.ts';

const LIVE = "('retrying', 'parked')";

/** In id order, at most `rowsMax`; a row without a key is its own head; dead rows are left out. */
export async function listAsideHeads(
  { pool, tables }: Storage,
  lanes: readonly number[],
  rowsMax: number,
): Promise<readonly AsideRow[]> {
  if (lanes.length === 0) return [];
  const earlier = `SELECT 1 FROM ${tables.deadLetter} e WHERE e.lane = d.lane AND e.key_hash = d.key_hash AND e.id < d.id AND e.state IN ${LIVE}`;
  const rows = await pool.query<AsideColumns>(
    `SELECT ${ASIDE_COLUMNS} FROM ${tables.deadLetter} d WHERE d.lane IN (?) AND d.state IN ${LIVE} AND NOT EXISTS (${earlier}) ORDER BY d.id LIMIT ?`,
    [lanes, rowsMax],
  );
  return rows.map(toAside);
}
