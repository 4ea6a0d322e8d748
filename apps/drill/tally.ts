/**
 * Compares what a read_committed reader sees with what the application has committed, row by row while both go on: what
 * has not arrived yet, what came twice, what came before its elder of the same key.
 */
import type { Ledger } from '#testkit';

export interface TallyFigures {
  /** Distinct rows that arrived. */
  readonly arrived: number;
  readonly doubled: number;
  readonly reordered: number;
  /** In another partition than its key's, though nobody had added any. */
  readonly misplaced: number;
}

/** The rows that were committed and not yet read at one moment. */
export interface Mark {
  /** How many of them still have not arrived. */
  readonly missing: number;
  /** Some of them, for messages. */
  examples(): readonly string[];
  /** All have arrived. */
  readonly done: Promise<void>;
}

interface OpenMark {
  readonly waiting: Set<string>;
  readonly resolve: () => void;
}

interface KeySeen {
  readonly sequences: Set<number>;
  /** By partition. */
  readonly last: Map<number, number>;
}

const EXAMPLES_MAX = 5;
const nameOf = (key: string, sequence: number): string => `${key}: ${sequence}`;
const keyOf = (name: string): string => name.slice(0, name.lastIndexOf(': '));

export class Tally {
  readonly #ledger: Ledger;
  /** Committed rows of each key taken over from the ledger so far. */
  readonly #taken = new Map<string, number>();
  readonly #pending = new Set<string>();
  /** Read before the application had heard the answer to its commit. */
  readonly #early = new Set<string>();
  readonly #seen = new Map<string, KeySeen>();
  readonly #marks = new Set<OpenMark>();
  readonly #examples: string[] = [];
  #arrived = 0;
  #doubled = 0;
  #reordered = 0;
  #misplaced = 0;
  #keysMayMove = false;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    // Nobody waits any more for a row that has left the table.
    ledger.onReplaced((key, sequence) => {
      this.#sync();
      const name = nameOf(key, sequence);
      if (this.#pending.delete(name)) this.#strike(name);
    });
  }

  get figures(): TallyFigures {
    const [arrived, doubled, reordered, misplaced] = [this.#arrived, this.#doubled, this.#reordered, this.#misplaced];
    return { arrived, doubled, reordered, misplaced };
  }

  /** Of rows doubled, out of order or misplaced. */
  get examples(): readonly string[] {
    return this.#examples;
  }

  /** Rows that arrived although nobody committed them, as far as the ledger knows by now. */
  get uncommitted(): readonly string[] {
    this.#sync();
    return [...this.#early];
  }

  /** Partitions are being added: from now on a key may have rows in several, with an order in each. */
  allowKeysToMove(): void {
    this.#keysMayMove = true;
  }

  /** In the order of their arrival in `partition`. */
  record(key: string, sequence: number, partition: number): void {
    let seen = this.#seen.get(key);
    if (seen === undefined) {
      seen = { sequences: new Set(), last: new Map() };
      this.#seen.set(key, seen);
    }
    const name = nameOf(key, sequence);
    if (seen.sequences.has(sequence)) {
      this.#doubled += 1;
      this.#example(`${name} twice`);
      return;
    }
    seen.sequences.add(sequence);
    const last = seen.last.get(partition);
    if (last === undefined && seen.last.size > 0 && !this.#keysMayMove) {
      this.#misplaced += 1;
      this.#example(`${name} in partition ${partition}`);
    }
    if (last !== undefined && sequence < last) {
      this.#reordered += 1;
      this.#example(`${name} after ${last}`);
    } else seen.last.set(partition, sequence);
    this.#arrived += 1;
    if (this.#pending.delete(name)) this.#strike(name);
    else if (!this.#ledger.isReplaced(key, sequence)) this.#early.add(name);
  }

  /** Rows of keys that fit, committed so far. */
  committed(fits: (key: string) => boolean): number {
    let count = 0;
    for (const key of this.#ledger.keys) if (fits(key)) count += this.#ledger.sequencesOf(key).length;
    return count;
  }

  /** Rows committed by now and not yet read, of keys that fit; of all keys unless told. */
  mark(fits: ((key: string) => boolean) | null = null): Mark {
    this.#sync();
    const { promise, resolve } = Promise.withResolvers<void>();
    const names = [...this.#pending];
    const open: OpenMark = {
      waiting: new Set(fits === null ? names : names.filter((name) => fits(keyOf(name)))),
      resolve,
    };
    if (open.waiting.size === 0) resolve();
    else this.#marks.add(open);
    return {
      get missing() {
        return open.waiting.size;
      },
      examples: () => [...open.waiting].slice(0, EXAMPLES_MAX),
      done: promise,
    };
  }

  #strike(name: string): void {
    for (const mark of this.#marks) {
      if (!mark.waiting.delete(name) || mark.waiting.size > 0) continue;
      this.#marks.delete(mark);
      mark.resolve();
    }
  }

  #sync(): void {
    for (const key of this.#ledger.keys) {
      const sequences = this.#ledger.sequencesOf(key);
      const from = this.#taken.get(key) ?? 0;
      for (let at = from; at < sequences.length; at += 1) {
        const name = nameOf(key, sequences[at] as number);
        if (!this.#early.delete(name) && !this.#ledger.isReplaced(key, sequences[at] as number))
          this.#pending.add(name);
      }
      this.#taken.set(key, sequences.length);
    }
  }

  #example(text: string): void {
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(text);
  }
}
