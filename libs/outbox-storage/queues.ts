/** Rows that wait for their targets: how many for each, the next of them, and those that wait for something else from now on. */
import { type AsideQueue, type AsideRow, type BatchLimits, errorText } from '#outbox';
import { ASIDE_COLUMNS, type AsideColumns, toAside } from './aside-row.ts';
import { underClaim } from './prove-claim.ts';
import type { Storage } from './storage.ts';

interface QueueColumns {
  readonly lane: number;
  readonly waits_for: string;
  readonly n: string;
  readonly bytes: string;
  readonly last: string;
  readonly oldest_us: string;
  readonly error: string;
}

/** Counted in an index that has all it takes. */
export async function listQueues({ pool, tables }: Storage, lanes: readonly number[]): Promise<readonly AsideQueue[]> {
  if (lanes.length === 0) return [];
  const counted = `SELECT lane, waits_for, COUNT(*) AS n, SUM(size) AS bytes, MIN(id) AS first, MAX(id) AS last FROM ${tables.deadLetter} WHERE lane IN (?) AND waits_for IS NOT NULL GROUP BY lane, waits_for`;
  const rows = await pool.query<QueueColumns>(
    `SELECT q.lane, q.waits_for, q.n, q.bytes, q.last, d.error, TIMESTAMPDIFF(MICROSECOND, d.first_at, NOW(6)) AS oldest_us FROM (${counted}) q JOIN ${tables.deadLetter} d ON d.id = q.first ORDER BY q.lane, q.waits_for`,
    [lanes],
  );
  return rows.map(({ lane, waits_for, n, bytes, last, oldest_us, error }) => {
    const sums = {
      rows: Number(n),
      bytes: Number(bytes),
      lastId: Number(last),
      oldestMs: Math.max(0, Number(oldest_us) / 1_000),
    };
    return { lane, waitsFor: waits_for, ...sums, error };
  });
}

/** Their sizes are read first, so that no more bytes are read than may be. */
export async function readQueue(
  { pool, tables }: Storage,
  lane: number,
  waitsFor: string,
  upTo: number,
  { rowsMax, bytesMax }: BatchLimits,
): Promise<readonly AsideRow[]> {
  const sizes = await pool.query<{ id: string; size: number }>(
    `SELECT id, size FROM ${tables.deadLetter} WHERE lane = ? AND waits_for = ? AND id <= ? ORDER BY id LIMIT ?`,
    [lane, waitsFor, upTo, rowsMax],
  );
  const ids: number[] = [];
  let bytes = 0;
  for (const { id, size } of sizes) {
    bytes += size;
    if (ids.length > 0 && bytes > bytesMax) break;
    ids.push(Number(id));
  }
  if (ids.length === 0) return [];
  const rows = await pool.query<AsideColumns>(
    `SELECT ${ASIDE_COLUMNS} FROM ${tables.deadLetter} d WHERE d.id IN (?) AND d.waits_for = ? ORDER BY d.id`,
    [ids, waitsFor],
  );
  return rows.map(toAside);
}

export async function moveAside(
  storage: Storage,
  lane: number,
  claimEpoch: number,
  ids: readonly number[],
  { waitsFor, error }: { readonly waitsFor: string | null; readonly error: string },
): Promise<boolean> {
  const state = waitsFor === null ? 'parked' : 'waiting';
  const sql = `UPDATE ${storage.tables.deadLetter} SET state = ?, waits_for = ?, error = ?, due_at = NOW(6), last_at = NOW(6) WHERE lane = ? AND id IN (?) AND state <> 'dead'`;
  const done = await underClaim(storage, lane, claimEpoch, async (session) => {
    if (ids.length > 0) await session.run(sql, [state, waitsFor, errorText(error), lane, ids]);
    return true;
  });
  return done ?? false;
}
