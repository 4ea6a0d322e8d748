/** Rows that wait for their targets: how many for each, the next of them, and those that wait for something else from now on. */
import { type AsideQueue, type AsideRow, type BatchLimits, errorText } from '#outbox';
import { ASIDE_COLUMNS, type AsideColumns, toAside } from './aside-row.ts';
import { marksOf } from './attempts.ts';
import type { Storage } from './storage.ts';
import { NOW } from './tables.ts';
import { underClaim } from './under-claim.ts';

export async function listQueues({ file, tables }: Storage, lanes: readonly number[]): Promise<readonly AsideQueue[]> {
  if (lanes.length === 0) return [];
  const counted = `SELECT lane, waits_for, COUNT(*) AS n, SUM(size) AS bytes, MIN(id) AS first, MAX(id) AS last FROM ${tables.deadLetter} WHERE lane IN (${marksOf(lanes)}) AND waits_for IS NOT NULL GROUP BY lane, waits_for`;
  const select = `SELECT q.lane, q.waits_for AS waitsFor, q.n AS rows, q.bytes, q.last AS lastId, MAX(0, ${NOW} - d.first_at) AS oldestMs, d.error FROM (${counted}) q JOIN ${tables.deadLetter} d ON d.id = q.first ORDER BY q.lane, q.waits_for`;
  return (await file.read((sql) => sql.all<AsideQueue>(select, ...lanes))).map((row) => ({ ...row }));
}

/** Their sizes are read first, so that no more bytes are read than may be. */
export function readQueue(
  { file, tables }: Storage,
  lane: number,
  waitsFor: string,
  upTo: number,
  { rowsMax, bytesMax }: BatchLimits,
): Promise<readonly AsideRow[]> {
  const sizes = `SELECT id, size FROM ${tables.deadLetter} WHERE lane = ? AND waits_for = ? AND id <= ? ORDER BY id LIMIT ?`;
  const select = `SELECT ${ASIDE_COLUMNS} FROM ${tables.deadLetter} d WHERE d.id = ?`;
  return file.read((sql) => {
    const rows: AsideRow[] = [];
    let bytes = 0;
    for (const { id, size } of sql.all<{ id: number; size: number }>(sizes, lane, waitsFor, upTo, rowsMax)) {
      bytes += size;
      if (rows.length > 0 && bytes > bytesMax) break;
      const row = sql.get<AsideColumns>(select, id);
      if (row !== undefined) rows.push(toAside(row));
    }
    return rows;
  });
}

export async function moveAside(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  ids: readonly number[],
  { waitsFor, error }: { readonly waitsFor: string | null; readonly error: string },
): Promise<boolean> {
  const state = waitsFor === null ? 'parked' : 'waiting';
  const update = `UPDATE ${storage.tables.deadLetter} SET state = ?, waits_for = ?, error = ?, due_at = ${NOW}, last_at = ${NOW} WHERE lane = ? AND id = ? AND state <> 'dead'`;
  const done = await underClaim(storage, lane, claimEpoch, (sql) => {
    for (const id of ids) sql.run(update, state, waitsFor, errorText(error), lane, id);
    return true;
  });
  return done ?? false;
}
