/**
 * How brokers have throttled us lately (quotas, KIP-219): they answer, say for how long they take nothing more from the connection,
 * and keep to it. Lives as long as the connection's configuration, across sessions.
 */
import type { Clock } from '#runtime';

/** What is told is the sum over this time. */
const WINDOW_MS = 60_000;
/** Times closer to each other are counted as one, which bounds what is kept of a broker. */
const GRAIN_MS = 1_000;

export interface ThrottledBroker {
  /** `host:port`. */
  readonly broker: string;
  /** What the broker imposed within the last minute. */
  readonly lastMinuteMs: number;
}

export class Throttles {
  readonly #clock: Clock;
  readonly #told = new Map<string, { readonly atMs: number; ms: number }[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(broker: string, throttleMs: number): void {
    const nowMs = this.#clock.nowMs();
    const told = this.#recent(broker, nowMs);
    const last = told.at(-1);
    if (last !== undefined && nowMs - last.atMs < GRAIN_MS) last.ms += throttleMs;
    else told.push({ atMs: nowMs, ms: throttleMs });
    this.#told.set(broker, told);
  }

  /** Within the last minute. */
  has(broker: string): boolean {
    return this.#told.has(broker) && this.#recent(broker, this.#clock.nowMs()).length > 0;
  }

  /** The broker that throttles most; null: none has within the last minute. */
  worst(): ThrottledBroker | null {
    const nowMs = this.#clock.nowMs();
    let worst: ThrottledBroker | null = null;
    for (const broker of [...this.#told.keys()]) {
      const told = this.#recent(broker, nowMs);
      if (told.length === 0) this.#told.delete(broker);
      const lastMinuteMs = told.reduce((sum, { ms }) => sum + ms, 0);
      if (lastMinuteMs > (worst?.lastMinuteMs ?? 0)) worst = { broker, lastMinuteMs };
    }
    return worst;
  }

  #recent(broker: string, nowMs: number): { readonly atMs: number; ms: number }[] {
    return (this.#told.get(broker) ?? []).filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
  }
}
