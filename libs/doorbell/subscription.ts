/** The listening half: one connection that stays subscribed, whatever happens to Redis. */
import { closeRedis, openRedis } from '#redis';
import type { Clock, Logger, Random } from '#runtime';

/** A silent connection is asked this often whether it still lives: a subscriber cannot tell silence from a cut cable. */
const PING_INTERVAL_MS = 10_000;

export interface SubscriptionOptions {
  readonly url: string;
  readonly use: string;
  readonly channel: string;
  readonly commandTimeoutMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly onMessage: (text: string) => void;
}

/** Subscribes now and after every reconnect. Returns what ends it. */
export function subscribe(options: SubscriptionOptions): () => Promise<void> {
  const { clock, channel } = options;
  const redis = openRedis(options);
  const ended = new AbortController();

  // A connection that cannot subscribe or answer is replaced; the next `ready` tries again.
  const replace = () => {
    if (!ended.signal.aborted && redis.status === 'ready') redis.disconnect(true);
  };
  redis.on('message', (from: string, text: string) => {
    if (from === channel) options.onMessage(text);
  });
  redis.on('ready', () => {
    redis.subscribe(channel).catch(replace);
  });
  const keepAlive = async () => {
    while (!ended.signal.aborted) {
      await clock.sleep(PING_INTERVAL_MS, ended.signal);
      if (redis.status === 'ready' && !ended.signal.aborted) await redis.ping().catch(replace);
    }
  };
  const kept = keepAlive();

  return async () => {
    ended.abort();
    closeRedis(redis);
    await kept;
  };
}
