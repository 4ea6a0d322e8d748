/** Where a source stands. */
import type { StoredGapPage, WatermarkState } from '#outbox';
import { readGaps } from './gap-pages.ts';
import type { Storage } from './storage.ts';
import { readWatermark } from './watermark-row.ts';

export function loadWatermark({ pool, tables }: Storage, source: string): Promise<WatermarkState | null> {
  return pool.use((session) => readWatermark(session, tables, source));
}

/** Open gaps of the source, ascending. */
export function loadGaps({ pool, tables }: Storage, source: string): Promise<readonly StoredGapPage[]> {
  return pool.use((session) => readGaps(session, tables, source));
}
