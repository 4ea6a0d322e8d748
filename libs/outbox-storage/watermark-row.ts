/** The watermark row: its statement and its mapping. Gaps are JSON of [from, to] pairs of decimal strings, exact beyond 2^53. */
import type { Session } from '#database';
import type { OutboxTables, PositionRange, WatermarkState } from '#outbox';

export interface WatermarkColumns {
  readonly source: string;
  readonly position: string;
  readonly gaps: string;
  readonly next_sequence: string;
  readonly epoch: string;
  readonly leader: string | null;
}

const COLUMNS = 'source, position, gaps, next_sequence, epoch, leader';

export const gapsToText = (gaps: readonly PositionRange[]): string =>
  JSON.stringify(gaps.map(({ from, to }) => [from.toString(), to.toString()]));

export const gapsFromText = (text: string): PositionRange[] =>
  (JSON.parse(text) as [string, string][]).map(([from, to]) => ({ from: BigInt(from), to: BigInt(to) }));

export const toWatermark = (row: WatermarkColumns): WatermarkState => ({
  source: row.source,
  position: BigInt(row.position),
  gaps: gapsFromText(row.gaps),
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
