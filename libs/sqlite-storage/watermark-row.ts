/** The watermark row: its statement and its mapping. Gaps are JSON of [from, to] pairs of decimal strings, exact beyond 2^53. */
import type { PositionRange, WatermarkState } from '#outbox';
import type { SqliteStatements } from './sqlite-file.ts';
import type { QuotedTables } from './tables.ts';

interface WatermarkColumns {
  readonly source: string;
  readonly position: string;
  readonly gaps: string;
  readonly next_sequence: number;
  readonly epoch: number;
  readonly leader: string | null;
}

export const gapsToText = (gaps: readonly PositionRange[]): string =>
  JSON.stringify(gaps.map(({ from, to }) => [from.toString(), to.toString()]));

const gapsFromText = (text: string): PositionRange[] =>
  (JSON.parse(text) as [string, string][]).map(([from, to]) => ({ from: BigInt(from), to: BigInt(to) }));

const toWatermark = (row: WatermarkColumns): WatermarkState => ({
  source: row.source,
  position: BigInt(row.position),
  gaps: gapsFromText(row.gaps),
  nextSequence: row.next_sequence,
  epoch: row.epoch,
  leader: row.leader,
});

const select = ({ watermark }: QuotedTables): string =>
  `SELECT source, position, gaps, next_sequence, epoch, leader FROM ${watermark}`;

export function readWatermark(sql: SqliteStatements, tables: QuotedTables, source: string): WatermarkState | null {
  const row = sql.get<WatermarkColumns>(`${select(tables)} WHERE source = ?`, source);
  return row === undefined ? null : toWatermark(row);
}

/** By name. */
export const readWatermarks = (sql: SqliteStatements, tables: QuotedTables): readonly WatermarkState[] =>
  sql.all<WatermarkColumns>(`${select(tables)} ORDER BY source`).map(toWatermark);
