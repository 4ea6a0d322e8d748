/**
 * The database's locks in memory: a lock lives as long as its session, and a session as long as its process asks the server something
 * within a TTL. A process whose call gets no answer gives its session up.
 */
import type { HeldLock, LockService } from '#leader-election';
import type { Clock } from '#runtime';

interface LockSession {
  ended: boolean;
  seenAtMs: number;
  readonly isDead: () => boolean;
}

export interface FakeLocksOwner {
  /** True once the process of the sessions was killed: the server notices at once. */
  readonly isDead: () => boolean;
  /** `lock.take`, `lock.check` and `lock.release`; a rejection means that no answer came. */
  readonly call: <T>(name: string, effect: () => T) => Promise<T>;
}

export interface FakeDatabaseLocks {
  of(owner: FakeLocksOwner): LockService;
}

export function createFakeDatabaseLocks(options: { readonly ttlMs: number; readonly clock: Clock }): FakeDatabaseLocks {
  const { ttlMs, clock } = options;
  const holders = new Map<string, LockSession>();
  const lives = (session: LockSession) =>
    !session.ended && !session.isDead() && clock.nowMs() - session.seenAtMs <= ttlMs;
  /** The server ends a session that rests. */
  const see = (session: LockSession): boolean => {
    if (!lives(session)) session.ended = true;
    session.seenAtMs = clock.nowMs();
    return !session.ended;
  };

  const held = (source: string, session: LockSession, { call }: FakeLocksOwner): HeldLock => ({
    renew: async () => {
      const isOurs = await call('lock.check', () => see(session) && holders.get(source) === session).catch(() => false);
      if (isOurs) return { kind: 'held' };
      session.ended = true;
      return { kind: 'lost' };
    },
    release: async () => {
      await call('lock.release', () => undefined).catch(() => undefined);
      session.ended = true;
    },
  });

  return {
    of: (owner) => ({
      acquire: async (source) => {
        const session: LockSession = { ended: false, seenAtMs: clock.nowMs(), isDead: owner.isDead };
        const take = (): boolean => {
          const holder = holders.get(source);
          if (holder !== undefined && lives(holder)) return false;
          if (!see(session)) return false;
          holders.set(source, session);
          return true;
        };
        try {
          const isWon = await owner.call('lock.take', take);
          return isWon ? { kind: 'won', lock: held(source, session, owner) } : { kind: 'held' };
        } catch {
          session.ended = true;
          return { kind: 'away', why: 'DB_UNREACHABLE' };
        }
      },
      onReachable: () => () => undefined,
      close: async () => undefined,
    }),
  };
}
