/** A list of transactions that is asked for beside the steps of a writer, and taken in by the step after its answer. */
import { asRelayError, type Clock, RelayError } from '#runtime';
import type { SourceReader, TransactionList } from './ports.ts';

export interface Answer {
  /** The position sighted a grace before the question. */
  readonly sighted: bigint;
  /** Null: the server gave no fresh list in time. */
  readonly list: TransactionList | null;
}

interface Pending {
  readonly done: Promise<void>;
  outcome: Answer | RelayError | null;
}

export class Listing {
  readonly #reader: SourceReader;
  readonly #clock: Clock;
  #pending: Pending | null = null;
  #askedMs = Number.NEGATIVE_INFINITY;
  #staleSinceMs: number | null = null;

  constructor(reader: SourceReader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  /** How long there has been no fresh list; 0: the last one was fresh. */
  get staleMs(): number {
    return this.#staleSinceMs === null ? 0 : this.#clock.nowMs() - this.#staleSinceMs;
  }

  /**
   * Unless a question is under way, or the last one was asked less than `everyMs` ago. True: it was asked now. `sighted`: the
   * position sighted a grace ago.
   */
  ask(everyMs: number, sighted: bigint): boolean {
    const nowMs = this.#clock.nowMs();
    if (this.#pending !== null || nowMs - this.#askedMs < everyMs) return false;
    this.#askedMs = nowMs;
    const answer = async (): Promise<Answer> => ({
      sighted,
      list: (await this.#reader.listTransactions?.()) ?? null,
    });
    const keep = (outcome: Answer | RelayError) => {
      pending.outcome = outcome;
    };
    // A fault is thrown when it is taken in; until then it must not count as unhandled.
    const done = answer().then(keep, (thrown) => keep(asRelayError(thrown)));
    const pending: Pending = { done, outcome: null };
    this.#pending = pending;
    return true;
  }

  /**
   * The answer, once, when it is there. Throws what the asking ran into: DB_TRANSIENT where the right to ask is gone, so that a new
   * term proves its gap mode anew.
   */
  take(): Answer | null {
    const outcome = this.#pending?.outcome ?? null;
    if (outcome === null) return null;
    this.#pending = null;
    if (outcome instanceof RelayError) {
      if (outcome.verdict === 'retry') throw outcome;
      const cannot = `running transactions cannot be listed any more: ${outcome.message}`;
      throw new RelayError('DB_TRANSIENT', cannot, { cause: outcome });
    }
    if (outcome.list !== null) this.#staleSinceMs = null;
    else this.#staleSinceMs ??= this.#clock.nowMs();
    return outcome;
  }

  /** The answer to the question under way, if there is one. */
  async wait(): Promise<Answer | null> {
    await this.#pending?.done;
    return this.take();
  }

  /** What is under way is not taken in. */
  forget(): void {
    this.#pending = null;
  }
}
