/** The listening half: one connection that stays subscribed, whatever happens to Redis. */
import { closeRedis, openRedis, type RedisTarget, type RefusalReport, redisErrorCode } from '#redis';
import { backoffMs, type Clock, type Logger, type Random } from '#runtime';

/** A silent connection is asked this often whether it still lives: a subscriber cannot tell silence from a cut cable. */
const PING_INTERVAL_MS = 10_000;
/** Somebody has to change something before a refusal ends: asking fast helps nobody. */
const REFUSED_BACKOFF = { baseMs: 1_000, maxMs: 30_000 };

export interface SubscriptionOptions {
  readonly target: RedisTarget;
  readonly use: string;
  readonly channel: string;
  readonly commandTimeoutMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly refusals: RefusalReport;
  readonly onMessage: (text: string) => void;
}

/** Subscribes now and after every reconnect, and again and again while that is refused. Returns what ends it. */
export function subscribe(options: SubscriptionOptions): () => Promise<void> {
  const { clock, channel, random, refusals } = options;
  const redis = openRedis(options);
  const ended = new AbortController();
  let wake = new AbortController();
  let subscribed = false;
  redis.on('message', (from: string, text: string) => {
    if (from === channel) options.onMessage(text);
  });
  redis.on('ready', () => wake.abort());
  redis.on('close', () => {
    subscribed = false;
  });

  /** Resolves to the code of the refusal, or null. A connection that does not answer is replaced; the next `ready` tries again. */
  const attempt = async (): Promise<string | null> => {
    try {
      if (subscribed) await redis.ping();
      else await redis.subscribe(channel);
      refusals.taken('SUBSCRIBE');
      subscribed = redis.status === 'ready';
    } catch (error) {
      // A listener that only may not PING listens all the same.
      if (error instanceof Error && error.name === 'ReplyError') return subscribed ? null : redisErrorCode(error);
      if (!ended.signal.aborted && redis.status === 'ready') redis.disconnect(true);
    }
    return null;
  };
  const keep = async () => {
    let refused = 0;
    while (!ended.signal.aborted) {
      wake = new AbortController();
      const code = redis.status === 'ready' ? await attempt() : null;
      if (ended.signal.aborted) return;
      refused = code === null ? 0 : refused + 1;
      if (code !== null) refusals.refused('SUBSCRIBE', code);
      const restMs = code === null ? PING_INTERVAL_MS : backoffMs(refused, REFUSED_BACKOFF, random);
      const rested = AbortSignal.any([ended.signal, ...(code === null ? [wake.signal] : [])]);
      await clock.sleep(restMs, rested);
    }
  };
  const kept = keep();

  return async () => {
    ended.abort();
    closeRedis(redis);
    await kept;
  };
}
