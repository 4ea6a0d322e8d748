/** The largest rows that wait, by topic: to be compared with what the topics take. Bounded, whatever the backlog. */
import type { Pool } from '#database';
import { laneEnd, laneFloor, type OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

export interface LargestRow {
  readonly topic: string;
  /** Bytes of key, value and own headers. */
  readonly size: number;
}

/** Rows looked at in each lane, oldest first, and among those set aside. */
const SAMPLE_ROWS_MAX = 10_000;

export async function largestRows(pool: Pool, tables: OutboxTables): Promise<readonly LargestRow[]> {
  const quoted = quoteTables(tables);
  const lanes = await pool.query<{ lane: number; delivered_id: string | null }>(
    `SELECT lane, delivered_id FROM ${quoted.lane} ORDER BY lane`,
  );
  const largest = new Map<string, number>();
  const look = async (from: string, values: readonly number[]) => {
    const rows = await pool.query<{ topic: string; size: string }>(
      `SELECT topic, MAX(size) AS size FROM (SELECT topic, size FROM ${from} ORDER BY id LIMIT ?) AS waiting GROUP BY topic`,
      [...values, SAMPLE_ROWS_MAX],
    );
    for (const { topic, size } of rows) largest.set(topic, Math.max(largest.get(topic) ?? 0, Number(size)));
  };
  for (const { lane, delivered_id } of lanes) {
    const after = delivered_id === null ? laneFloor(lane) : Number(delivered_id);
    await look(`${quoted.outbox} WHERE id > ? AND id < ?`, [after, laneEnd(lane)]);
  }
  await look(quoted.deadLetter, []);
  return [...largest].map(([topic, size]) => ({ topic, size }));
}
