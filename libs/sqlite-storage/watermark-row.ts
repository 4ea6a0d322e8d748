/** The watermark row: its statement and its mapping. */
import type { WatermarkState } from '#outbox';
import type { SqliteStatements } from './sqlite-file.ts';
import type { QuotedTables } from './tables.ts';

interface WatermarkColumns {
  readonly source: string;
  readonly position: string;
  readonly next_sequence: number;
  readonly epoch: number;
  readonly leader: string | null;
}

const toWatermark = (row: WatermarkColumns): WatermarkState => ({
  source: row.source,
  position: BigInt(row.position),
  nextSequence: row.next_sequence,
  epoch: row.epoch,
  leader: row.leader,
});

const select = ({ watermark }: QuotedTables): string =>
  `SELECT source, position, next_sequence, epoch, leader FROM ${watermark}`;

export function readWatermark(sql: SqliteStatements, tables: QuotedTables, source: string): WatermarkState | null {
  const row = sql.get<WatermarkColumns>(`${select(tables)} WHERE source = ?`, source);
  return row === undefined ? null : toWatermark(row);
}

/** By name. */
export const readWatermarks = (sql: SqliteStatements, tables: QuotedTables): readonly WatermarkState[] =>
  sql.all<WatermarkColumns>(`${select(tables)} ORDER BY source`).map(toWatermark);
