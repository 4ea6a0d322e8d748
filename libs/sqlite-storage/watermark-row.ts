/** The watermark row: its statement and its mapping. */
import { incarnationsFromText, type SourceState, type WatermarkState } from '#outbox';
import type { SqliteStatements } from './sqlite-file.ts';
import type { QuotedTables } from './tables.ts';

interface WatermarkColumns {
  readonly source: string;
  readonly position: string;
  readonly next_sequence: number;
  readonly epoch: number;
  readonly leader: string | null;
  readonly state: string;
  readonly cause: string | null;
  readonly why: string | null;
  readonly incarnations: string | null;
}

const toWatermark = (row: WatermarkColumns): WatermarkState => ({
  source: row.source,
  position: BigInt(row.position),
  nextSequence: row.next_sequence,
  epoch: row.epoch,
  leader: row.leader,
  state: row.state as SourceState,
  cause: row.cause,
  why: row.why,
  incarnations: incarnationsFromText(row.incarnations),
});

const select = ({ watermark }: QuotedTables): string =>
  `SELECT source, position, next_sequence, epoch, leader, state, cause, why, incarnations FROM ${watermark}`;

export function readWatermark(sql: SqliteStatements, tables: QuotedTables, source: string): WatermarkState | null {
  const row = sql.get<WatermarkColumns>(`${select(tables)} WHERE source = ?`, source);
  return row === undefined ? null : toWatermark(row);
}

/** By name. */
export const readWatermarks = (sql: SqliteStatements, tables: QuotedTables): readonly WatermarkState[] =>
  sql.all<WatermarkColumns>(`${select(tables)} ORDER BY source`).map(toWatermark);
