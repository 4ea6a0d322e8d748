/**
 * The lock in Redis, by redlock. Three of its ways are not ours, and are worked around here:
 * - its validity uses the wall clock, so a clock jump ends or stretches it: the term keeps its own monotonic deadline and
 *   the wall clock check is switched off (`expiration`);
 * - a failed `acquire` sends a release after it, so a held lock would cost two round trips: a plain PTTL goes first;
 * - its `extend` refuses a vanished key: ours takes it again, atomically and with the same value, so that an answer lost
 *   on the way can never make us meet our own lock as a stranger's.
 * `using` is not used: it never aborts while Redis hangs.
 */
import type { Redis } from 'ioredis';
import Redlock, { ExecutionError, type Lock, ResourceLockedError } from 'redlock';
import { closeRedis, RECONNECT_MAX_MS, type RedisClient, waitUntilReady, whyAway } from '#redis';
import type { Clock } from '#runtime';
import type { Away, HeldLock, Renewed, SharedLockService } from './lock-service.ts';

/** Extends the lock, or takes it again when the key has vanished; 0 only when it holds another value. */
export const EXTEND_OR_RETAKE = `
  for i, key in ipairs(KEYS) do
    local value = redis.call("get", key)
    if value and value ~= ARGV[1] then
      return 0
    end
  end
  for i, key in ipairs(KEYS) do
    redis.call("set", key, ARGV[1], "PX", ARGV[2])
  end
  return #KEYS
`;

/**
 * After a reconnect a candidate holds back this long: a Redis that comes back empty is offered first to the leader that
 * went on without it, so that a restart of Redis does not move leadership.
 */
const RECONNECT_GRACE_MS = 2 * RECONNECT_MAX_MS;
/** What PTTL says of a key that is not there. */
const NO_SUCH_KEY = -2;
/** What PTTL says of a key without a time, which nobody of ours sets: nobody would ever be elected. */
const FOR_EVER = -1;
/** Processes of one deployment may differ in their TTL, while a new one is rolled out, but not by so much. */
const TTLS_MAX = 40;
/** The first attempt waits this long for the connection, so that a process started beside a running Redis leads at once. */
const FIRST_CONNECT_WAIT_MS = 1000;

export interface RedisLocksOptions {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly ttlMs: number;
  readonly clock: Clock;
  /** A leader that goes on without Redis is not known otherwise: it is the first one to take the lock of a Redis that is back. */
  readonly leaderFirst: boolean;
}

/** `held`: Redis answered that somebody else has the lock. */
async function readRefusal(redis: RedisClient, error: unknown): Promise<{ readonly kind: 'held' } | Away> {
  if (!(error instanceof ExecutionError)) return { kind: 'away', why: whyAway(redis, error) };
  let why: string | null = null;
  for (const attempt of error.attempts) {
    const { votesAgainst } = await attempt;
    for (const vote of votesAgainst.values()) {
      if (vote instanceof ResourceLockedError) return { kind: 'held' };
      why ??= whyAway(redis, vote);
    }
  }
  return { kind: 'away', why: why ?? 'NO_ANSWER' };
}

/**
 * Redis keeps the time of expiry by its wall clock: a clock set back by an hour makes the lock of a leader that died just now
 * outlive it by an hour. A lock that would live much longer than anybody sets one is cut to one TTL from now; its holder,
 * if there is one, renews it well before.
 */
async function isHeld(redis: RedisClient, key: string, ttlMs: number): Promise<boolean> {
  const leftMs = await redis.pttl(key);
  if (leftMs === FOR_EVER || leftMs > ttlMs * TTLS_MAX) await redis.pexpire(key, ttlMs);
  return leftMs !== NO_SUCH_KEY;
}

function heldLock(redis: RedisClient, redlock: Redlock, won: Lock, ttlMs: number): HeldLock {
  let lock = won;
  return {
    renew: async (): Promise<Renewed> => {
      lock.expiration = Number.POSITIVE_INFINITY;
      try {
        lock = await redlock.extend(lock, ttlMs);
        return { kind: 'held' };
      } catch (error) {
        const refusal = await readRefusal(redis, error);
        return refusal.kind === 'held' ? { kind: 'lost' } : refusal;
      }
    },
    release: async () => {
      // Not ours any more, or Redis away: either way nothing is left to do, the lock lapses by itself.
      await redlock.release(lock).catch(() => undefined);
    },
  };
}

/** Locks named `<prefix>:leader:<source>`, on a connection that is closed with them. */
export function createRedisLocks(options: RedisLocksOptions): SharedLockService {
  const { redis, ttlMs, clock } = options;
  // A cluster takes the place of a server: redlock only sends scripts with one key each.
  const redlock = new Redlock(
    [redis as Redis],
    { retryCount: 0, driftFactor: 0.01 },
    { extendScript: () => EXTEND_OR_RETAKE },
  );
  let connections = 0;
  let connectedAtMs = 0;
  const onReady = () => {
    connections += 1;
    connectedAtMs = clock.nowMs();
  };
  if (redis.status === 'ready') onReady();
  redis.on('ready', onReady);
  const firstConnect = waitUntilReady(redis, FIRST_CONNECT_WAIT_MS, clock);
  const keyOf = (source: string) => `${options.prefix}:leader:${source}`;

  return {
    look: async (source) => {
      await firstConnect;
      // Whoever goes on without the lock takes it again first.
      const isJustBack = options.leaderFirst && connections > 1 && clock.nowMs() - connectedAtMs < RECONNECT_GRACE_MS;
      try {
        return (await isHeld(redis, keyOf(source), ttlMs)) || isJustBack ? { kind: 'held' } : { kind: 'free' };
      } catch (error) {
        return { kind: 'away', why: whyAway(redis, error) };
      }
    },
    acquire: async (source) => {
      try {
        const lock = await redlock.acquire([keyOf(source)], ttlMs);
        return { kind: 'won', lock: heldLock(redis, redlock, lock, ttlMs) };
      } catch (error) {
        return readRefusal(redis, error);
      }
    },
    onReachable: (listener) => {
      redis.on('ready', listener);
      return () => redis.off('ready', listener);
    },
    close: async () => closeRedis(redis),
  };
}
