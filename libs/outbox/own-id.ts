/**
 * The transactional id that a sender uses. It changes when the last transaction cannot be ended, since a partition in it cannot take
 * the end: the id is of no use before the partition is back, and its transaction is decided.
 */
import type { SenderOptions } from './sender-options.ts';

export class OwnId {
  readonly #first: string;
  #changes = 0;
  /** Ids given up whose last transactions are to be looked at as our own. */
  former: readonly string[] = [];

  constructor(first: string) {
    this.#first = first;
  }

  get current(): string {
    return this.#changes === 0 ? this.#first : `${this.#first}~${this.#changes}`;
  }

  change(): void {
    this.former = [...this.former, this.current];
    this.#changes += 1;
  }
}

/** The options, with the id as it is when somebody asks. */
export const withOwnId = (options: SenderOptions, id: OwnId): SenderOptions =>
  Object.defineProperty({ ...options }, 'transactionalId', { enumerable: true, get: () => id.current });
