/** The sender's pace, and what is said of it. */
import type { TransactionPlan } from './plan-transaction.ts';
import type { BatchLimits } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { type Load, TransactionPace } from './transaction-pace.ts';

const TARGET_MS = 5_000;

export class PaceKeeper {
  readonly #pace: TransactionPace;
  readonly #onEvent: SenderOptions['onEvent'];

  constructor({ limits, transactionTargetMs, onEvent }: SenderOptions) {
    this.#pace = new TransactionPace(limits, transactionTargetMs ?? TARGET_MS);
    this.#onEvent = onEvent;
  }

  /** Of a transaction over so many lanes. */
  limits = (lanes: number): BatchLimits => this.#pace.limits(lanes);

  timedOut(plan: TransactionPlan): void {
    this.#say(() => this.#pace.timedOut(loadOf(plan)));
  }

  delivered(plan: TransactionPlan, tookMs: number): void {
    this.#say(() => this.#pace.delivered(loadOf(plan), tookMs, plan.lanes.length));
  }

  /** Growing is told once it is over. */
  #say(act: () => void): void {
    const before = this.#pace.bound;
    act();
    const { bound } = this.#pace;
    const isTold = bound === null ? before !== null : before === null || bound.rows < before.rows;
    if (isTold) {
      this.#onEvent({ kind: 'pace-changed', rowsMax: bound?.rows ?? null, bytesMax: bound?.bytes ?? null });
    }
  }
}

const loadOf = ({ records, bytes }: TransactionPlan): Load => ({ rows: records.length, bytes });
