/** The watermark row: its statement and its mapping. */
import type { Session } from '#database';
import type { OutboxTables, WatermarkState } from '#outbox';

export interface WatermarkColumns {
  readonly source: string;
  readonly position: string;
  readonly next_sequence: string;
  readonly epoch: string;
  readonly leader: string | null;
}

const COLUMNS = 'source, position, next_sequence, epoch, leader';

export const toWatermark = (row: WatermarkColumns): WatermarkState => ({
  source: row.source,
  position: BigInt(row.position),
  nextSequence: Number(row.next_sequence),
  epoch: Number(row.epoch),
  leader: row.leader,
});

export const selectWatermarks = (tables: OutboxTables): string => `SELECT ${COLUMNS} FROM ${tables.watermark}`;

export async function readWatermark(
  session: Session,
  tables: OutboxTables,
  source: string,
): Promise<WatermarkState | null> {
  const [row] = await session.query<WatermarkColumns>(`${selectWatermarks(tables)} WHERE source = ?`, [source]);
  return row ? toWatermark(row) : null;
}
