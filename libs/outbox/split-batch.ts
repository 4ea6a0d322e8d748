/** Cuts a read of several batches into batches. */
import type { BatchLimits, SourceBatch, SourceRow } from './ports.ts';

/** Bytes that a row counts for in a batch: value and key. */
export const bytesOf = ({ value, key }: SourceRow): number => (value?.length ?? 0) + (key?.length ?? 0);

/** Each within the limits, though its first row always fits; all but the last are full. None without rows. */
export function splitBatch({ rows, full }: SourceBatch, { rowsMax, bytesMax }: BatchLimits): SourceBatch[] {
  const batches: SourceBatch[] = [];
  let start = 0;
  let bytes = 0;
  for (const [at, row] of rows.entries()) {
    const size = bytesOf(row);
    if (at > start && (at - start >= rowsMax || bytes + size > bytesMax)) {
      batches.push({ rows: rows.slice(start, at), full: true });
      start = at;
      bytes = 0;
    }
    bytes += size;
  }
  if (rows.length > 0) batches.push({ rows: start === 0 ? rows : rows.slice(start), full });
  return batches;
}
