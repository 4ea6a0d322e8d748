/** How a Redis is set up where background jobs depend on it: one attempt, within a deadline. */
import { RelayError, silentLogger, systemClock, systemRandom } from '#runtime';
import { closeRedis } from './close-redis.ts';
import { openRedis } from './open-redis.ts';
import { redisErrorCode } from './redis-error-code.ts';
import type { RedisTarget } from './redis-target.ts';
import { waitUntilReady } from './wait-until-ready.ts';

export interface RedisFacts {
  /** Null when this user may not ask. */
  readonly version: string | null;
  readonly maxmemoryPolicy: string | null;
  /** Bytes; 0: unlimited. */
  readonly maxmemory: number | null;
  readonly usedMemory: number | null;
  /** `master` or `slave`. */
  readonly role: string | null;
}

const DEADLINE_MS = 3_000;

function parseInfo(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('\r\n').flatMap((line) => {
    const at = line.indexOf(':');
    return at < 0 || line.startsWith('#') ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  return new Map(pairs);
}

/** Rejects with REDIS_UNREACHABLE or REDIS_REFUSED, naming the driver's or the server's code. */
export async function inspectRedis(target: RedisTarget): Promise<RedisFacts> {
  const use = 'kafka-row-sender-doctor';
  const redis = openRedis({ target, use, commandTimeoutMs: DEADLINE_MS, logger: silentLogger, random: systemRandom });
  let why = 'no answer in time';
  // The error itself may carry the password in its command: only its code is kept.
  redis.on('error', (error) => {
    why = redisErrorCode(error);
  });
  try {
    if (!(await waitUntilReady(redis, DEADLINE_MS, systemClock))) throw new RelayError('REDIS_UNREACHABLE', why);
    await redis.ping().catch((thrown: unknown) => {
      throw new RelayError('REDIS_REFUSED', redisErrorCode(thrown));
    });
    // Managed Redis and users with few rights may refuse INFO: then nothing is known, and nothing is wrong.
    const info = parseInfo(await redis.info().catch(() => ''));
    const numberOf = (name: string) => (info.has(name) ? Number(info.get(name)) : null);
    return {
      version: info.get('redis_version') ?? null,
      maxmemoryPolicy: info.get('maxmemory_policy') ?? null,
      maxmemory: numberOf('maxmemory'),
      usedMemory: numberOf('used_memory'),
      role: info.get('role') ?? null,
    };
  } finally {
    closeRedis(redis);
  }
}
