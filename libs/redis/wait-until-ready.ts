/** Waits for a connection, but never longer than its deadline. */
import type { Redis } from 'ioredis';
import type { Clock } from '#runtime';

/** True as soon as commands can be sent, false after `deadlineMs`. Never rejects. */
export async function waitUntilReady(redis: Redis, deadlineMs: number, clock: Clock): Promise<boolean> {
  if (redis.status === 'ready') return true;
  const ready = new AbortController();
  const onReady = () => ready.abort();
  redis.once('ready', onReady);
  await clock.sleep(deadlineMs, ready.signal);
  redis.off('ready', onReady);
  return ready.signal.aborted;
}
