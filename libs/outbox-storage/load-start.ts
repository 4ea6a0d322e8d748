/** Where a source began: the rows from there on are owed to Kafka, whatever START_FROM says by now. */
import type { PositionRange } from '#outbox';
import type { StoreOptions } from './storage.ts';
import { quoteTables } from './tables.ts';
import { gapsFromText } from './watermark-row.ts';

export interface SourceStart {
  /** Rows above it are owed. */
  readonly after: bigint;
  /** So are rows in these ranges below it, whose transactions may have been open then. */
  readonly gaps: readonly PositionRange[];
}

interface StartColumns {
  readonly start_position: string | null;
  readonly start_gaps: string | null;
}

/** Null: the source is not registered, or was by a version that did not write it down (schema 1). */
export async function loadStart({ pool, tables }: StoreOptions, source: string): Promise<SourceStart | null> {
  const [row] = await pool.query<StartColumns>(
    `SELECT start_position, start_gaps FROM ${quoteTables(tables).watermark} WHERE source = ?`,
    [source],
  );
  if (row === undefined || row.start_position === null) return null;
  return { after: BigInt(row.start_position), gaps: gapsFromText(row.start_gaps ?? '[]') };
}
