/**
 * Whether a candidate may lead by the database's lock alone: once Redis has given no usable answer for a few TTLs. Who led so and
 * was fenced waits longer each time: somebody leads who does not hold the database's lock, as is possible on a cluster whose nodes
 * do not know each other's locks (Galera), and the two must not fence each other in turn.
 */
import type { Clock } from '#runtime';

/** After three terms that were fenced the wait grows no more. */
const DOUBLINGS_MAX = 3;

interface Silence {
  readonly sinceMs: number;
  readonly why: string;
}

export class FallbackWait {
  readonly #clock: Clock;
  readonly #afterMs: number;
  readonly #silences = new Map<string, Silence>();
  readonly #fenced = new Map<string, number>();

  constructor(clock: Clock, afterMs: number) {
    this.#clock = clock;
    this.#afterMs = afterMs;
  }

  /** Redis said who has the lock. */
  answered(source: string): void {
    this.#silences.delete(source);
    this.#fenced.delete(source);
  }

  /** Redis gave no usable answer. */
  silent(source: string, why: string): void {
    const sinceMs = this.#silences.get(source)?.sinceMs ?? this.#clock.nowMs();
    this.#silences.set(source, { sinceMs, why });
  }

  /** A term that Redis did not confirm was fenced. */
  fenced(source: string): void {
    this.#fenced.set(source, Math.min(DOUBLINGS_MAX, (this.#fenced.get(source) ?? 0) + 1));
    const why = this.#silences.get(source)?.why ?? 'FENCED';
    this.#silences.set(source, { sinceMs: this.#clock.nowMs(), why });
  }

  /** The last fault; null while Redis answers. */
  whyOf(source: string): string | null {
    return this.#silences.get(source)?.why ?? null;
  }

  /** Milliseconds until the database's lock is enough; 0: it is. Infinite while Redis answers. */
  dueInMs(source: string): number {
    const silence = this.#silences.get(source);
    if (silence === undefined) return Number.POSITIVE_INFINITY;
    const waitMs = this.#afterMs * 2 ** (this.#fenced.get(source) ?? 0);
    return Math.max(0, silence.sinceMs + waitMs - this.#clock.nowMs());
  }
}
