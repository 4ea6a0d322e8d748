/** Exponential backoff with full jitter between a base and a maximum; pure, chance is an argument. */
import type { Random } from './clock.ts';

export interface BackoffLimits {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Delay before attempt `attempt` (1 is the first retry): half fixed, half chance, never above `maxMs`. */
export function backoffMs(attempt: number, limits: BackoffLimits, random: Random): number {
  const exponent = Math.min(Math.max(attempt, 1) - 1, 30);
  const ceiling = Math.min(limits.maxMs, limits.baseMs * 2 ** exponent);
  return ceiling / 2 + (random() * ceiling) / 2;
}
