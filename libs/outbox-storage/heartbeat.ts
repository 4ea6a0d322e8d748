/**
 * Members: who is alive, by the database's clock. That clock may be set back: then the heartbeat of a member that died just
 * before lies ahead of it, as do its leases, and would keep the member alive and its lanes held for as long as the clock went
 * back. Both are written together, so a heartbeat from the future is the sign to let all that lies ahead begin now.
 */
import type { Session } from '#database';
import type { Member } from '#outbox';
import { retryDeadlock, type Storage } from './storage.ts';

/** Writes this member's heartbeat, forgets those silent for longer than `ttlMs`; resolves to the live ids of the kind, ascending. */
export async function heartbeat(storage: Storage, member: Member, ttlMs: number): Promise<readonly string[]> {
  const { pool, tables } = storage;
  return retryDeadlock(storage, () =>
    pool.use(async (session) => {
      await session.run(
        `INSERT INTO ${tables.member} (id, kind, heartbeat_at, started_at) VALUES (?, ?, NOW(6), NOW(6)) ON DUPLICATE KEY UPDATE heartbeat_at = NOW(6)`,
        [member.id, member.kind],
      );
      const members = await session.query<{ id: string; kind: string; silent: number; ahead: number }>(
        `SELECT id, kind, heartbeat_at < NOW(6) - INTERVAL ? MICROSECOND AS silent, heartbeat_at > NOW(6) AS ahead FROM ${tables.member} ORDER BY id`,
        [ttlMs * 1_000],
      );
      if (members.some(({ ahead }) => Number(ahead) === 1)) await beginNow(session, storage);
      for (const { id, kind } of members.filter(({ silent }) => Number(silent) === 1)) {
        await session.run(
          `DELETE FROM ${tables.member} WHERE id = ? AND kind = ? AND heartbeat_at < NOW(6) - INTERVAL ? MICROSECOND`,
          [id, kind, ttlMs * 1_000],
        );
      }
      return members.filter(({ kind, silent }) => kind === member.kind && Number(silent) === 0).map(({ id }) => id);
    }),
  );
}

/** Heartbeats count as of now, leases last from now on as long as they were made to. Shortening a lease is safe: a taker fences. */
async function beginNow(session: Session, { tables }: Storage): Promise<void> {
  await session.run(`UPDATE ${tables.member} SET heartbeat_at = NOW(6) WHERE heartbeat_at > NOW(6)`, []);
  await session.run(
    `UPDATE ${tables.lane} SET lease_until = NOW(6) + INTERVAL TIMESTAMPDIFF(MICROSECOND, updated_at, lease_until) MICROSECOND, updated_at = NOW(6) WHERE updated_at > NOW(6) AND lease_until IS NOT NULL`,
    [],
  );
}
