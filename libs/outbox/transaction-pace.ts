/**
 * How large transactions may be: as large as the settings say while the brokers keep up, half after each time-out, and larger again
 * as they succeed. Pure; lives with the sender, since a time-out ends the session that saw it.
 */
import type { RelayError } from '#runtime';
import type { BatchLimits } from './ports.ts';

/** The first row always fits: below this, a smaller bound changes nothing. */
const BYTES_MIN = 1_024;
const ROWS_MIN = 1;
const SHRINK = 0.5;
const GROW = 2;
/** A transaction that took longer than the target shrinks the next one to what fits the target, and no further than this at once. */
const SHRINK_SLOW_MIN = 0.25;
/** What took less than this share of the target lets the next one grow. */
const QUICK_SHARE = 0.5;

/** What an adapter calls a deadline that passed, in `details.type`: its own, and the broker's. */
const TIMEOUTS: readonly unknown[] = ['DEADLINE_EXCEEDED', 'REQUEST_TIMEOUT', 'REQUEST_TIMED_OUT'];

export const isTimeout = ({ code, details }: RelayError): boolean =>
  code === 'DEADLINE_EXCEEDED' || TIMEOUTS.includes(details.type);

/** What a transaction carried. */
export interface Load {
  readonly rows: number;
  readonly bytes: number;
}

export class TransactionPace {
  readonly #limits: BatchLimits;
  readonly #targetMs: number;
  /** Over all lanes; null: not bounded by the pace. */
  #bound: Load | null = null;

  /** `limits`: rows a lane and bytes over all lanes; `targetMs`: how long a transaction may take before it is called slow. */
  constructor(limits: BatchLimits, targetMs: number) {
    this.#limits = limits;
    this.#targetMs = targetMs;
  }

  /** Null while nothing but the settings bounds a transaction. */
  get bound(): Load | null {
    return this.#bound;
  }

  /** Over `lanes` lanes together. */
  limits(lanes: number): BatchLimits {
    const { rowsMax, bytesMax } = this.#limits;
    const rows = rowsMax * Math.max(1, lanes);
    if (this.#bound === null) return { rowsMax: rows, bytesMax };
    return { rowsMax: Math.min(rows, this.#bound.rows), bytesMax: Math.min(bytesMax, this.#bound.bytes) };
  }

  /** True when the bound is smaller than before. */
  timedOut(load: Load): boolean {
    return this.#shrink(load, SHRINK);
  }

  /** `lanes`: those it carried. */
  delivered(load: Load, tookMs: number, lanes: number, mayGrow = true): void {
    if (load.rows === 0) return;
    if (tookMs > this.#targetMs) {
      this.#shrink(load, Math.max(this.#targetMs / tookMs, SHRINK_SLOW_MIN));
      return;
    }
    const bound = this.#bound;
    if (!mayGrow || bound === null || tookMs > this.#targetMs * QUICK_SHARE) return;
    // What a small transaction took says nothing of a larger one.
    if (load.rows * 2 < bound.rows && load.bytes * 2 < bound.bytes) return;
    const grown = { rows: bound.rows * GROW, bytes: bound.bytes * GROW };
    const { rowsMax, bytesMax } = this.#limits;
    this.#bound = grown.rows >= rowsMax * lanes && grown.bytes >= bytesMax ? null : grown;
  }

  #shrink(load: Load, factor: number): boolean {
    const { rows, bytes } = this.#bound ?? { rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
    const next = {
      rows: Math.max(ROWS_MIN, Math.floor(Math.min(load.rows, rows) * factor)),
      bytes: Math.max(BYTES_MIN, Math.floor(Math.min(load.bytes, bytes) * factor)),
    };
    if (load.rows === 0 || (next.rows >= rows && next.bytes >= bytes)) return false;
    this.#bound = next;
    return true;
  }
}
