/** A coalesced wake-up: rings while nobody waits are remembered once, so none falls between a read and a wait. */
import type { Clock } from '#runtime';

const RUNG = 'rung';

export class Wake {
  #rung = false;
  #waits = false;
  /** Kept from one wait to the next until it is used up, since most waits end by themselves. */
  #waiter: AbortController | null = null;

  ring(): void {
    this.#rung = true;
    if (!this.#waits) return;
    const waiter = this.#waiter;
    this.#waits = false;
    this.#waiter = null;
    // A reason of our own: without one, every ring would cost a DOMException with its stack.
    waiter?.abort(RUNG);
  }

  /** Forgets rings heard so far: call before reading what the ring is about, never after. */
  clear(): void {
    this.#rung = false;
  }

  /** Resolves when rung (also before the call, since the last `clear`) or after `ms`. */
  async wait(clock: Clock, ms: number): Promise<void> {
    if (this.#rung) return;
    this.#waiter ??= new AbortController();
    this.#waits = true;
    try {
      await clock.sleep(ms, this.#waiter.signal);
    } finally {
      this.#waits = false;
    }
  }
}
