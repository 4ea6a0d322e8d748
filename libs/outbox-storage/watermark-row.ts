/** The watermark row: its statement and its mapping. */
import type { Session } from '#database';
import { incarnationsFromText, type OutboxTables, type SourceState, type WatermarkState } from '#outbox';

export interface WatermarkColumns {
  readonly source: string;
  readonly position: string;
  readonly next_sequence: string;
  readonly epoch: string;
  readonly leader: string | null;
  readonly state: string;
  readonly cause: string | null;
  readonly why: string | null;
  readonly incarnations: string | null;
}

const COLUMNS = 'source, position, next_sequence, epoch, leader, state, cause, why, incarnations';

export const toWatermark = (row: WatermarkColumns): WatermarkState => ({
  source: row.source,
  position: BigInt(row.position),
  nextSequence: Number(row.next_sequence),
  epoch: Number(row.epoch),
  leader: row.leader,
  state: row.state as SourceState,
  cause: row.cause,
  why: row.why,
  incarnations: incarnationsFromText(row.incarnations),
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
