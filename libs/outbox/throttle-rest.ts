/**
 * Rests while brokers take nothing from us, between two transactions: a transaction that is open meanwhile would spend its time-out
 * on waiting.
 */
import type { ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import type { Wake } from './wake.ts';

/** One rest; the lanes are looked after in between. */
const REST_MS_MAX = 1_000;
const SAID_EVERY_MS = 10_000;

export class ThrottleRest {
  readonly #options: SenderOptions;
  readonly #wake: Wake;
  /** Said to throttle us; null: nothing is said of any. */
  #broker: string | null = null;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: SenderOptions, wake: Wake) {
    this.#options = options;
    this.#wake = wake;
  }

  /** True when it rested, so that the turn is over. */
  async rest(session: ProducerSession): Promise<boolean> {
    const throttle = session.throttle?.() ?? null;
    const { clock, onEvent } = this.#options;
    if (throttle === null) {
      if (this.#broker !== null) onEvent({ kind: 'throttled', broker: this.#broker, waitMs: 0, lastMinuteMs: 0 });
      this.#broker = null;
      this.#saidAtMs = Number.NEGATIVE_INFINITY;
      return false;
    }
    this.#broker = throttle.broker;
    if (clock.nowMs() - this.#saidAtMs >= SAID_EVERY_MS) {
      this.#saidAtMs = clock.nowMs();
      onEvent({ kind: 'throttled', ...throttle });
    }
    if (throttle.waitMs <= 0) return false;
    await this.#wake.wait(clock, Math.min(throttle.waitMs, REST_MS_MAX));
    return true;
  }
}
