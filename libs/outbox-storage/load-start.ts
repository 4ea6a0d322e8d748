/** Where a source began: the rows from there on are owed to Kafka, whatever START_FROM says by now. */
import { decodeRanges, type PositionRange } from '#outbox';
import { RelayError } from '#runtime';
import type { StoreOptions } from './storage.ts';
import { quoteTables } from './tables.ts';

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
  const gaps = row.start_gaps ? decodeRanges(0n, row.start_gaps) : [];
  if (gaps === null) throw new RelayError('INVARIANT_BROKEN', `start_gaps of source ${source} cannot be read`);
  return { after: BigInt(row.start_position), gaps };
}
