/** Where a source stands. */
import type { WatermarkState } from '#outbox';
import type { Storage } from './storage.ts';
import { readWatermark } from './watermark-row.ts';

export function loadWatermark({ pool, tables }: Storage, source: string): Promise<WatermarkState | null> {
  return pool.use((session) => readWatermark(session, tables, source));
}
