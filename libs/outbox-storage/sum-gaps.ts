/** How many gaps each source has open, for `status`. */
import type { Pool } from '#database';
import type { GapSums, OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

interface SumColumns {
  readonly source: string;
  readonly ranges: string | number;
  readonly missing: string;
  readonly age_us: string | number;
}

/** By source; none for a source without open gaps. */
export async function sumGaps(pool: Pool, tables: OutboxTables): Promise<ReadonlyMap<string, GapSums>> {
  const rows = await pool.query<SumColumns>(
    `SELECT source, SUM(ranges) AS ranges, CAST(SUM(missing) AS CHAR) AS missing, TIMESTAMPDIFF(MICROSECOND, MIN(opened_at), NOW(6)) AS age_us
       FROM ${quoteTables(tables).gap} GROUP BY source`,
  );
  return new Map(
    rows.map(({ source, ranges, missing, age_us }) => [
      source,
      { ranges: Number(ranges), missing: BigInt(missing), oldestMs: Math.max(0, Number(age_us) / 1_000) },
    ]),
  );
}
