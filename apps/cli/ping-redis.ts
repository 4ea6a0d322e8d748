/** Does Redis answer? Within a deadline of its own. */
import { closeRedis, openRedis, type RedisTarget, redisErrorCode, waitUntilReady } from '#redis';
import { RelayError, silentLogger, systemClock, systemRandom } from '#runtime';

const DEADLINE_MS = 3_000;

/** Rejects with REDIS_UNREACHABLE or REDIS_REFUSED, naming the driver's or the server's code. */
export async function pingRedis(target: RedisTarget): Promise<void> {
  const redis = openRedis({
    target,
    use: 'kafka-row-sender-cli',
    commandTimeoutMs: DEADLINE_MS,
    logger: silentLogger,
    random: systemRandom,
  });
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
  } finally {
    closeRedis(redis);
  }
}
