/** All sources and where they stand, for `status`. */
import type { Pool } from '#database';
import type { OutboxTables, WatermarkState } from '#outbox';
import { quoteTables } from './tables.ts';
import { selectWatermarks, toWatermark, type WatermarkColumns } from './watermark-row.ts';

export async function listWatermarks(pool: Pool, tables: OutboxTables): Promise<readonly WatermarkState[]> {
  const rows = await pool.query<WatermarkColumns>(`${selectWatermarks(quoteTables(tables))} ORDER BY source`);
  return rows.map(toWatermark);
}
