/**
 * How much of a sender's time retries of rows set aside may take while fresh rows wait: never two turns in a row, and never more
 * than a share of the time. Pure.
 */

/** Of the time from the begin of one retry to the begin of the next. */
const SHARE_MAX = 0.25;

export class RetryShare {
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #deliveryOwed = false;

  mayRetry(nowMs: number): boolean {
    return !this.#deliveryOwed && nowMs >= this.#nextAtMs;
  }

  retried(fromMs: number, toMs: number): void {
    this.#deliveryOwed = true;
    this.#nextAtMs = toMs + (toMs - fromMs) * (1 / SHARE_MAX - 1);
  }

  /** `found` false: no fresh row waits, and retries may have all the time. */
  delivered(found: boolean): void {
    this.#deliveryOwed = false;
    if (!found) this.#nextAtMs = Number.NEGATIVE_INFINITY;
  }
}
