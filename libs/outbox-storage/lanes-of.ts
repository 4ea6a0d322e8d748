/** Lane numbers of a source, ascending. */

import type { Session } from '#database';
import type { OutboxTables } from '#outbox';
import type { Storage } from './storage.ts';

export async function readLanesOf(session: Session, tables: OutboxTables, source: string): Promise<number[]> {
  const sql = `SELECT lane FROM ${tables.lane} WHERE source = ? ORDER BY lane`;
  const rows = await session.query<{ lane: number }>(sql, [source]);
  return rows.map((row) => row.lane);
}

export function lanesOf({ pool, tables }: Storage, source: string): Promise<readonly number[]> {
  return pool.use((session) => readLanesOf(session, tables, source));
}
