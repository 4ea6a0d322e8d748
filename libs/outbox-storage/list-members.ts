/** All members that wrote a heartbeat and did not leave, for `status`. */
import type { Pool } from '#database';
import type { MemberKind, MemberStatus, OutboxTables } from '#outbox';
import { quoteTables } from './tables.ts';

export async function listMembers(pool: Pool, tables: OutboxTables): Promise<readonly MemberStatus[]> {
  const rows = await pool.query<{ id: string; kind: string; silent: string; up: string }>(
    `SELECT id, kind, TIMESTAMPDIFF(MICROSECOND, heartbeat_at, NOW(6)) AS silent, TIMESTAMPDIFF(MICROSECOND, started_at, NOW(6)) AS up FROM ${quoteTables(tables).member} ORDER BY kind, id`,
  );
  return rows.map(({ id, kind, silent, up }) => ({
    id,
    kind: kind as MemberKind,
    silentMs: Math.round(Number(silent) / 1_000),
    upMs: Math.round(Number(up) / 1_000),
  }));
}
