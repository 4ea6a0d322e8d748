/** Members: who is alive, by the database's clock. */
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
      const members = await session.query<{ id: string; kind: string; silent: number }>(
        `SELECT id, kind, heartbeat_at < NOW(6) - INTERVAL ? MICROSECOND AS silent FROM ${tables.member} ORDER BY id`,
        [ttlMs * 1_000],
      );
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
