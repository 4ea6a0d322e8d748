/** Delay before the next connection attempt: short, because a leader whose Redis returns must be the first one back. */
import { backoffMs, type Random } from '#runtime';

const RECONNECT_BASE_MS = 50;
/** No reconnect waits longer than this, so whoever was connected is back within about this time after Redis is. */
export const RECONNECT_MAX_MS = 500;

/** Milliseconds to wait before reconnect attempt `attempt` (1 is the first); never ends the attempts. */
export function reconnectDelayMs(attempt: number, random: Random): number {
  return Math.ceil(backoffMs(attempt, { baseMs: RECONNECT_BASE_MS, maxMs: RECONNECT_MAX_MS }, random));
}
