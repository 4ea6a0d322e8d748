/** Reads a source as a writer would, one row, and says what it found on the way. */
import type { SourceConfig } from '#config';
import type { Pool } from '#database';
import { silentLogger } from '#runtime';
import { createSourceReader, type GapModeProof, proveGapMode } from '#source-polling';
import { graceWarning } from './gap-mode-promise.ts';

export interface TriedSource {
  readonly proof: GapModeProof;
  /** Of the setting, or what the mode needs here. */
  readonly graceMs: number;
  /** Highest committed position; null when the table is empty. */
  readonly highest: bigint | null;
  /** Why that is too short; null when it is not. */
  readonly graceWarning: string | null;
  /** What is not wrong with the table but should be better. */
  readonly warnings: readonly string[];
}

/** Rejects with DB_SCHEMA, DB_UNSUPPORTED, DB_ROW_REFUSED or CONFIG_INVALID, in one line that says what to do, or with the database's fault. */
export async function trySource(pool: Pool, source: SourceConfig): Promise<TriedSource> {
  const proof = await proveGapMode({ pool, wanted: source.gapMode });
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_facts: object, warning: string) => void warnings.push(warning) };
  const reader = await createSourceReader({ pool, source, gapMode: proof.mode, logger });
  const highest = await reader.highestPosition();
  // A row shows that all columns can be read and that key and topic are what they must be.
  if (highest !== null) await reader.readAfter(highest - 1n, { rowsMax: 1, bytesMax: 1 });
  const graceMs = source.gapGraceMs ?? reader.graceMs;
  return { proof, graceMs, graceWarning: graceWarning(proof.mode, graceMs, reader.graceMs), highest, warnings };
}
