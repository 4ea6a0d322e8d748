/** How many rows are set aside, by state. */
import type { Pool } from '#database';
import type { AsideState, OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

export async function countAside(pool: Pool, tables: OutboxTables): Promise<Readonly<Record<AsideState, number>>> {
  const counts: Record<AsideState, number> = { retrying: 0, parked: 0, waiting: 0, dead: 0 };
  const rows = await pool.query<{ state: string; n: string }>(
    `SELECT state, COUNT(*) AS n FROM ${quoteTables(tables).deadLetter} GROUP BY state`,
  );
  for (const { state, n } of rows) counts[state as AsideState] = Number(n);
  return counts;
}
