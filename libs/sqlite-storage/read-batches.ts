/** Reads the next rows of many lanes in one snapshot, each by its primary-key range, within one budget of rows and bytes. */
import { type BatchLimits, type LaneBatch, type LaneCursor, laneEnd, type OutboxRow } from '#outbox';
import type { SqliteStatements } from './sqlite-file.ts';
import { bufferOf, type Storage } from './storage.ts';

interface OutboxColumns {
  readonly id: number;
  readonly event_id: string;
  readonly topic: string;
  readonly record_key: Uint8Array | null;
  readonly payload: Uint8Array | null;
  readonly headers: string | null;
  readonly size: number;
}

export const OUTBOX_COLUMNS = 'id, event_id, topic, record_key, payload, headers, size';

export const toOutboxRow = (row: OutboxColumns): OutboxRow => ({
  id: row.id,
  eventId: row.event_id,
  topic: row.topic,
  key: bufferOf(row.record_key),
  value: bufferOf(row.payload),
  headers: row.headers === null ? null : (JSON.parse(row.headers) as Record<string, string>),
  size: row.size,
});

/** Rows read from SQLite at a time, so that of a lane of large rows little is read in vain. */
const PAGE_ROWS = 64;

interface Budget {
  rows: number;
  bytes: number;
  /** Nothing was taken yet: the first row always fits. */
  fresh: boolean;
}

/**
 * One batch for each cursor, in the cursors' order. Each lane gets an even share of the rows first, and what the short ones
 * leave goes to those that have more, so that a busy lane never starves the others.
 */
export async function readBatches(
  { file, tables }: Storage,
  cursors: readonly LaneCursor[],
  limits: BatchLimits,
): Promise<readonly LaneBatch[]> {
  if (cursors.length === 0) return [];
  const select = `SELECT ${OUTBOX_COLUMNS} FROM ${tables.outbox} WHERE id > ? AND id < ? ORDER BY id LIMIT ?`;
  const even = Math.max(1, Math.floor(limits.rowsMax / cursors.length));
  return file.read((sql) => {
    const budget: Budget = { rows: limits.rowsMax, bytes: limits.bytesMax, fresh: true };
    const lanes = cursors.map((cursor) => ({ cursor, rows: [] as OutboxRow[], full: true }));
    for (const share of [even, limits.rowsMax]) {
      for (const lane of lanes) {
        const want = Math.min(share, lane.cursor.rowsMax) - lane.rows.length;
        if (lane.full && want > 0) lane.full = take(sql, select, lane.cursor, lane.rows, want, budget);
      }
    }
    return lanes.map(({ cursor: { lane }, rows, full }) => ({ lane, rows, full }));
  });
}

/** True when more rows are likely waiting. */
function take(
  sql: SqliteStatements,
  select: string,
  { lane, cursor }: LaneCursor,
  rows: OutboxRow[],
  want: number,
  budget: Budget,
): boolean {
  let left = want;
  while (left > 0) {
    if (budget.rows <= 0) return true;
    const page = Math.min(left, PAGE_ROWS, budget.rows);
    const found = sql.all<OutboxColumns>(select, rows.at(-1)?.id ?? cursor, laneEnd(lane), page);
    for (const columns of found) {
      if (!budget.fresh && columns.size > budget.bytes) return true;
      budget.fresh = false;
      budget.rows -= 1;
      budget.bytes -= columns.size;
      rows.push(toOutboxRow(columns));
    }
    if (found.length < page) return false;
    left -= page;
  }
  return true;
}
