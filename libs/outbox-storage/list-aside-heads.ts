/** The rows aside that are next: of each lane and key the one with the lowest id, since order per key holds for retries, too. */
import type { AsideHead, AsideRow } from '#outbox';
import {
  ASIDE_COLUMNS,
  ASIDE_HEAD_COLUMNS,
  type AsideColumns,
  type AsideHeadColumns,
  toAside,
  toAsideHead,
} from './aside-row.ts';
import type { Storage } from './storage.ts';

const LIVE = "('retrying', 'parked')";

/** In id order, at most `rowsMax`; a row without a key is its own head; dead rows are left out. */
export async function listAsideHeads(
  { pool, tables }: Storage,
  lanes: readonly number[],
  rowsMax: number,
): Promise<readonly AsideHead[]> {
  if (lanes.length === 0) return [];
  const earlier = `SELECT 1 FROM ${tables.deadLetter} e WHERE e.lane = d.lane AND e.key_hash = d.key_hash AND e.id < d.id AND e.state IN ${LIVE}`;
  const rows = await pool.query<AsideHeadColumns>(
    `SELECT ${ASIDE_HEAD_COLUMNS} FROM ${tables.deadLetter} d WHERE d.lane IN (?) AND d.state IN ${LIVE} AND NOT EXISTS (${earlier}) ORDER BY d.id LIMIT ?`,
    [lanes, rowsMax],
  );
  return rows.map(toAsideHead);
}

/** One of them with its payload; null: it is not aside any more. */
export async function readAside({ pool, tables }: Storage, id: number): Promise<AsideRow | null> {
  const sql = `SELECT ${ASIDE_COLUMNS} FROM ${tables.deadLetter} d WHERE d.id = ?`;
  const [row] = await pool.query<AsideColumns>(sql, [id]);
  return row === undefined ? null : toAside(row);
}
