/** Waits for a connection, but never longer than its deadline. */
import type { Clock } from '#runtime';
import type { RedisClient } from './redis-client.ts';

/** True as soon as commands can be sent, false after `deadlineMs`. Never rejects. */
export async function waitUntilReady(redis: RedisClient, deadlineMs: number, clock: Clock): Promise<boolean> {
  if (redis.status === 'ready') return true;
  const ready = new AbortController();
  const onReady = () => ready.abort();
  redis.once('ready', onReady);
  await clock.sleep(deadlineMs, ready.signal);
  redis.off('ready', onReady);
  return ready.signal.aborted;
}
