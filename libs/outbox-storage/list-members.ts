/** All members that wrote a heartbeat and did not leave, and what they say of themselves, for `status`. */
import type { Pool } from '#database';
import type { MemberKind, MemberStatus, OutboxTables } from '#outbox';
import { readStalls } from '#runtime';
import { quoteTables } from './tables.ts';

export async function listMembers(pool: Pool, tables: OutboxTables): Promise<readonly MemberStatus[]> {
  const rows = await pool.query<{ id: string; kind: string; silent: string; up: string; stalls: string | null }>(
    `SELECT id, kind, TIMESTAMPDIFF(MICROSECOND, heartbeat_at, NOW(6)) AS silent, TIMESTAMPDIFF(MICROSECOND, started_at, NOW(6)) AS up, stalls FROM ${quoteTables(tables).member} ORDER BY kind, id`,
  );
  return rows.map(({ id, kind, silent, up, stalls }) => ({
    id,
    kind: kind as MemberKind,
    silentMs: Math.round(Number(silent) / 1_000),
    upMs: Math.round(Number(up) / 1_000),
    stalls: readStalls(stalls),
  }));
}

/** What this member says of what stands; null: nothing. A member that has not shown itself yet says nothing. */
export async function reportStalls(pool: Pool, tables: OutboxTables, id: string, stalls: string | null): Promise<void> {
  await pool.run(`UPDATE ${quoteTables(tables).member} SET stalls = ? WHERE id = ?`, [stalls, id]);
}
