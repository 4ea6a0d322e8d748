/** The next sequence of a lane's source: a marker at or past it means that the database is older than Kafka. */
import { RelayError } from '#runtime';
import type { Storage } from './storage.ts';

/** Throws INVARIANT_BROKEN for a lane without a source. */
export async function nextSequenceOf({ pool, tables }: Storage, lane: number): Promise<number> {
  const [row] = await pool.query<{ next: string }>(
    `SELECT w.next_sequence AS next FROM ${tables.lane} l JOIN ${tables.watermark} w ON w.source = l.source WHERE l.lane = ?`,
    [lane],
  );
  if (!row) throw new RelayError('INVARIANT_BROKEN', `lane ${lane} has no source with a watermark`);
  return Number(row.next);
}
