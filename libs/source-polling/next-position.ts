/** The value that the table's AUTO_INCREMENT column hands out next: at or below the watermark it would be a row nobody sees. */
import type { Pool } from '#database';
import { whereTable } from './inspect-table.ts';

/** Null where the server does not say. A value handed out meanwhile is larger, never smaller, unless the table is reset. */
export async function nextPosition(pool: Pool, table: string): Promise<bigint | null> {
  const { condition, values } = whereTable(table);
  return pool.use(async (session) => {
    // MySQL keeps such figures for a day unless asked for fresh ones.
    if (session.engine.cachesStatistics) await session.run('SET SESSION information_schema_stats_expiry = 0');
    const [row] = await session.query<{ next: string | null }>(
      `SELECT CAST(auto_increment AS CHAR) AS next FROM information_schema.tables WHERE ${condition} LIMIT 1`,
      values,
    );
    return row?.next ? BigInt(row.next) : null;
  });
}
