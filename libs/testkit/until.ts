/** Waits for a condition that no event announces; fails with its name instead of hanging. */
import { systemClock } from '#runtime';

const LOOK_EVERY_MS = 20;

/** Resolves with the first answer that is not null, undefined or false; throws after `deadlineMs`. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs: number,
): Promise<Exclude<T, null | undefined | false>> {
  const startedMs = systemClock.nowMs();
  while (systemClock.nowMs() - startedMs < deadlineMs) {
    const answer = await look();
    if (answer !== null && answer !== undefined && answer !== false) {
      return answer as Exclude<T, null | undefined | false>;
    }
    await systemClock.sleep(LOOK_EVERY_MS);
  }
  throw new Error(`${what}: not within ${deadlineMs} ms`);
}
