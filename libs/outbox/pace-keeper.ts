/** The sender's pace, and what is said of it. */
import type { TransactionPlan } from './plan-transaction.ts';
import type { BatchLimits, ProducerSession } from './ports.ts';
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
    if (this.#pace.timedOut(loadOf(plan))) this.#say();
  }

  delivered(plan: TransactionPlan, tookMs: number, session: ProducerSession): void {
    const wasBound = this.#pace.bound !== null;
    // Right after a pause much goes through at once: what is quick then says nothing of the pace that is allowed.
    const mayGrow = (session.throttle?.() ?? null) === null;
    this.#pace.delivered(loadOf(plan), tookMs, plan.lanes.length, mayGrow);
    if (wasBound !== (this.#pace.bound !== null)) this.#say();
  }

  /** That it is bounded, after each time-out, and that it is no longer. */
  #say(): void {
    const { bound } = this.#pace;
    this.#onEvent({ kind: 'pace-changed', rowsMax: bound?.rows ?? null, bytesMax: bound?.bytes ?? null });
  }
}

const loadOf = ({ records, bytes }: TransactionPlan): Load => ({ rows: records.length, bytes });
