/** What an application has committed, key by key in commit order: the truth that delivery is compared with. */

/** Sequence numbers of each key's committed rows, in commit order: ascending, with holes where a transaction was rolled back. */
export class Ledger {
  readonly #sequences = new Map<string, number[]>();
  /** Rows that the application has replaced since: they may have been read before, or not. */
  readonly #replaced = new Map<string, Set<number>>();
  readonly #listeners: ((key: string, sequence: number) => void)[] = [];
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

  /** A committed row has left the table by a committed transaction. It may arrive, once at most and in its place. */
  replace(key: string, sequence: number): void {
    const known = this.#replaced.get(key) ?? new Set();
    this.#replaced.set(key, known.add(sequence));
    for (const listener of this.#listeners) listener(key, sequence);
  }

  isReplaced(key: string, sequence: number): boolean {
    return this.#replaced.get(key)?.has(sequence) ?? false;
  }

  onReplaced(listener: (key: string, sequence: number) => void): void {
    this.#listeners.push(listener);
  }

  /** Replaced ones too. */
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
