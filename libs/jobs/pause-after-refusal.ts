/**
 * BullMQ's worker asks again at once when Redis refuses: at the speed of the network, or, where it was refused as it connected, without ever
 * giving the turn back, and the whole process stands still. This puts a pause that grows behind each refusal.
 */
import type { Worker } from 'bullmq';
import { backoffMs, type Clock, type Random } from '#runtime';

const REFUSED_BACKOFF = { baseMs: 1_000, maxMs: 30_000 };
/** Faults of the connection have BullMQ's own pause; no fault at all may go without any. */
const OTHER_PAUSE_MS = 100;

type Work = () => Promise<unknown>;
type Retry = (work: Work, options: unknown) => Promise<unknown>;

/** Before the worker runs. The signal ends a pause. */
export function pauseAfterRefusal(worker: Worker, clock: Clock, random: Random, signal: AbortSignal): void {
  const retry = (Reflect.get(worker, 'retryIfFailed') as Retry).bind(worker);
  let refused = 0;
  const paused: Retry = (work, options) =>
    retry(async () => {
      try {
        const answer = await work();
        refused = 0;
        return answer;
      } catch (error) {
        const isRefusal = error instanceof Error && error.name === 'ReplyError';
        refused += isRefusal ? 1 : 0;
        await clock.sleep(isRefusal ? backoffMs(refused, REFUSED_BACKOFF, random) : OTHER_PAUSE_MS, signal);
        throw error;
      }
    }, options);
  Reflect.set(worker, 'retryIfFailed', paused);
}
