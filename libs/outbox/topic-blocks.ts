/** Topics that are away (missing, not authorised): a world fault of their own that must not stop the other topics. */
import { type BackoffLimits, backoffMs, type Clock, type Random } from '#runtime';

export class TopicBlocks {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #backoff: BackoffLimits;
  readonly #blocked = new Map<string, { attempt: number; untilMs: number }>();

  constructor(clock: Clock, random: Random, backoff: BackoffLimits) {
    this.#clock = clock;
    this.#random = random;
    this.#backoff = backoff;
  }

  isBlocked = (topic: string): boolean => {
    const entry = this.#blocked.get(topic);
    return entry !== undefined && entry.untilMs > this.#clock.nowMs();
  };

  block(topic: string): { attempt: number; delayMs: number } {
    const attempt = (this.#blocked.get(topic)?.attempt ?? 0) + 1;
    const delayMs = backoffMs(attempt, this.#backoff, this.#random);
    this.#blocked.set(topic, {
      attempt,
      untilMs: this.#clock.nowMs() + delayMs,
    });
    return { attempt, delayMs };
  }

  delivered(topics: Iterable<string>): void {
    if (this.#blocked.size === 0) return;
    for (const topic of topics) this.#blocked.delete(topic);
  }
}
