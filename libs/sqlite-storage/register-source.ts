/** Gives a source its watermark row and lanes of its own, next after the highest in use, in one transaction. */
import { type GapPage, LANES_MAX } from '#outbox';
import { RelayError } from '#runtime';
import { writeGaps } from './gap-pages.ts';
import type { SqliteStatements } from './sqlite-file.ts';
import type { Storage } from './storage.ts';
import { NOW, type QuotedTables } from './tables.ts';
import { readWatermark } from './watermark-row.ts';

export interface SourceRegistration {
  readonly source: string;
  readonly position: bigint;
  readonly gaps: readonly GapPage[];
  readonly lanes: number;
}

/** Lane numbers of a source, ascending. */
export const readLanesOf = (sql: SqliteStatements, tables: QuotedTables, source: string): readonly number[] =>
  sql
    .all<{ lane: number }>(`SELECT lane FROM ${tables.lane} WHERE source = ? ORDER BY lane`, source)
    .map(({ lane }) => lane);

/** Already registered: changes nothing. Throws CONFIG_INVALID when not enough of the 1,024 lanes are left. */
export function registerSource(
  { file, tables }: Storage,
  { source, position, gaps, lanes }: SourceRegistration,
): Promise<readonly number[]> {
  return file.write((sql) => {
    if (readWatermark(sql, tables, source) !== null) return readLanesOf(sql, tables, source);
    const row = sql.get<{ next: number }>(`SELECT COALESCE(MAX(lane) + 1, 0) AS next FROM ${tables.lane}`);
    const first = row?.next ?? 0;
    if (first + lanes > LANES_MAX) {
      const left = `${LANES_MAX - first} of ${LANES_MAX} are left`;
      throw new RelayError('CONFIG_INVALID', `source ${source} needs ${lanes} lanes, ${left}`);
    }
    sql.run(
      `INSERT INTO ${tables.watermark} (source, position, next_sequence, epoch, leader, updated_at) VALUES (?, ?, 1, 0, NULL, ${NOW})`,
      source,
      position.toString(),
    );
    writeGaps(sql, tables, source, { put: gaps, drop: [] });
    const numbers = Array.from({ length: lanes }, (_, index) => first + index);
    const insert = `INSERT INTO ${tables.lane} (lane, source, delivered_id, holder, claim_epoch, lease_until, fence_ids, state, why, updated_at) VALUES (?, ?, NULL, NULL, 0, NULL, '[]', 'running', NULL, ${NOW})`;
    for (const lane of numbers) sql.run(insert, lane, source);
    return numbers;
  });
}
