/** Tries what an election does with Redis, on a key of its own beside those of the leaders. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import Redlock from 'redlock';
import { type RedisTarget, type RedisTrial, tryStep, withProbe } from '#redis';
import { EXTEND_OR_RETAKE } from './redis-locks.ts';

/** The key lives no longer than this if it cannot be deleted. */
const TTL_MS = 2_000;

/** Rejects with REDIS_UNREACHABLE only. */
export function probeLocks(target: RedisTarget, prefix: string): Promise<readonly RedisTrial[]> {
  const key = `${prefix}:leader:probe-${randomUUID()}`;
  return withProbe(target, async (redis) => {
    const trials = [
      await tryStep('look at the leader lock (PTTL)', redis, () => redis.pttl(key)),
      await tryStep('shorten the leader lock (PEXPIRE)', redis, () => redis.pexpire(key, TTL_MS)),
    ];
    const redlock = new Redlock([redis as Redis], { retryCount: 0 }, { extendScript: () => EXTEND_OR_RETAKE });
    // redlock hides what the server said: first the same commands by themselves.
    const script = "redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2]) return redis.call('get', KEYS[1])";
    const first = await tryStep('take the leader lock (EVAL: SET, GET)', redis, () =>
      redis.eval(script, 1, key, 'probe', TTL_MS),
    );
    const gone = await tryStep('give the leader lock back (EVAL: EXISTS, DEL)', redis, () =>
      redis.eval("return redis.call('exists', KEYS[1]) + redis.call('del', KEYS[1])", 1, key),
    );
    trials.push(first, gone);
    if (first.refusal !== null || gone.refusal !== null) return trials;
    trials.push(
      await tryStep('take, extend and give back the leader lock by its scripts (EVALSHA)', redis, async () => {
        await redis.evalsha(SCRIPT_OF_NOBODY, 1, key).catch((error: unknown) => {
          // Not there is what it should say.
          if (!isMissing(error)) throw error;
        });
        const lock = await redlock.acquire([key], TTL_MS);
        await (await redlock.extend(lock, TTL_MS)).release();
      }),
    );
    return trials;
  });
}

const SCRIPT_OF_NOBODY = '0'.repeat(40);
const isMissing = (error: unknown): boolean => error instanceof Error && error.message.startsWith('NOSCRIPT');
