/** What waits in the outbox, lane by lane, for metrics and `status`: bounded, whatever the backlog. */
import type { Pool } from '#database';
import { type LaneBacklog, laneEnd, laneFloor, type OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

/** Rows counted per lane unless said: about 10 ms a lane. */
const COUNT_MAX_DEFAULT = 10_000;

/** One entry per lane, ascending. Each lane is counted from its `delivered_id`, so that deleted rows are not walked again. */
export async function outboxStatistics(
  pool: Pool,
  tables: OutboxTables,
  countMax = COUNT_MAX_DEFAULT,
): Promise<readonly LaneBacklog[]> {
  const quoted = quoteTables(tables);
  const lanes = await pool.query<{ lane: number; source: string; delivered_id: string | null }>(
    `SELECT lane, source, delivered_id FROM ${quoted.lane} ORDER BY lane`,
  );
  const range = `FROM ${quoted.outbox} WHERE id > ? AND id < ? ORDER BY id LIMIT`;
  const result: LaneBacklog[] = [];
  await pool.use(async (session) => {
    for (const { lane, source, delivered_id } of lanes) {
      const ids = [delivered_id === null ? laneFloor(lane) : Number(delivered_id), laneEnd(lane)];
      const [row] = await session.query<{ n: string; age: string | null }>(
        `SELECT (SELECT COUNT(*) FROM (SELECT id ${range} ?) AS waiting) AS n, (SELECT TIMESTAMPDIFF(MICROSECOND, created_at, NOW(6)) ${range} 1) AS age`,
        [...ids, countMax + 1, ...ids],
      );
      const counted = Number(row?.n ?? 0);
      const age = row?.age ?? null;
      result.push({
        lane,
        source,
        rows: Math.min(counted, countMax),
        capped: counted > countMax,
        oldestAgeMs: age === null ? null : Math.max(0, Math.round(Number(age) / 1_000)),
      });
    }
  });
  return result;
}
