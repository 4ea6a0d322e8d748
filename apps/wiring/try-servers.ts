/** Waits for a server that is still starting, as commands do when asked to; otherwise one attempt decides. */
import { asRelayError, backoffMs, systemClock, systemRandom } from '#runtime';

const PAUSE = { baseMs: 200, maxMs: 2_000 };
const WAITED_FOR = new Set([
  ...['DB_UNREACHABLE', 'KAFKA_UNREACHABLE', 'REDIS_UNREACHABLE', 'DEADLINE_EXCEEDED'],
  ...['DB_READ_ONLY', 'DB_TRANSIENT', 'DB_FULL', 'DB_UNKNOWN'],
]);

/** Runs `attempt` until it succeeds, `waitMs` are over, or it fails with a fault that waiting cannot mend. */
export async function untilReachable<T>(attempt: () => Promise<T>, waitMs: number, onWait: (why: string) => void) {
  const deadlineMs = systemClock.nowMs() + waitMs;
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (thrown) {
      const error = asRelayError(thrown);
      const pauseMs = backoffMs(count, PAUSE, systemRandom);
      if (!WAITED_FOR.has(error.code) || systemClock.nowMs() + pauseMs > deadlineMs) throw error;
      if (count === 1) onWait(error.message);
      await systemClock.sleep(pauseMs);
    }
  }
}
