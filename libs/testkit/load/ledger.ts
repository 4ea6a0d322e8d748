/** What an application has committed, key by key in commit order: the truth that delivery is compared with. */

/** Sequence numbers of each key's committed rows, in commit order: ascending, with holes where a transaction was rolled back. */
export class Ledger {
  readonly #sequences = new Map<string, number[]>();
  #rows = 0;

  /** Rows of one committed transaction, in the order of their insertion. */
  commit(rows: readonly { readonly key: string; readonly sequence: number }[]): void {
    for (const { key, sequence } of rows) {
      const known = this.#sequences.get(key);
      if (known === undefined) this.#sequences.set(key, [sequence]);
      else known.push(sequence);
    }
    this.#rows += rows.length;
  }

  get rows(): number {
    return this.#rows;
  }

  get keys(): IterableIterator<string> {
    return this.#sequences.keys();
  }

  sequencesOf(key: string): readonly number[] {
    return this.#sequences.get(key) ?? [];
  }
}
