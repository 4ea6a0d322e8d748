/** By which lock a source is led at this moment, seen from outside. */
import { type RedisTarget, withProbe } from '#redis';
import { LOCK_NAME } from './lock-session.ts';

export type ElectedBy = 'redis' | 'database';

export interface WhoElectedOptions {
  readonly sources: readonly string[];
  /** Null: without Redis. */
  readonly redis: { readonly target: RedisTarget; readonly prefix: string } | null;
  readonly database: {
    /** Values only as placeholders. */
    readonly query: (sql: string, values: readonly string[]) => Promise<readonly Readonly<Record<string, unknown>>[]>;
    readonly prefix: string;
  };
}

/** Sources that nobody leads are left out, and those of whom neither server says anything. Never rejects. */
export async function whoElected(options: WhoElectedOptions): Promise<ReadonlyMap<string, ElectedBy>> {
  const { sources, redis, database } = options;
  const found = new Map<string, ElectedBy>();
  for (const source of sources) {
    const sql = `SELECT IS_USED_LOCK(${LOCK_NAME}) IS NOT NULL AS answer`;
    const rows = await database.query(sql, [database.prefix, source]).catch(() => []);
    if (Number(rows[0]?.answer ?? 0) === 1) found.set(source, 'database');
  }
  if (redis === null) return found;
  const { target, prefix } = redis;
  await withProbe(target, async (client) => {
    for (const source of sources) {
      if ((await client.pttl(`${prefix}:leader:${source}`)) > 0) found.set(source, 'redis');
    }
  }).catch(() => undefined);
  return found;
}
