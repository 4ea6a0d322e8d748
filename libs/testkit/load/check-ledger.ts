/**
 * The oracle of a load: exactly the ledger's rows arrived, and each key's in the order in which its one connection committed
 * them. Stronger than comparing outbox ids, which only says that delivery kept the order the writer had chosen.
 */
import assert from 'node:assert/strict';
import type { Ledger } from './ledger.ts';

const EXAMPLES_MAX = 5;

export interface LedgerResult {
  readonly committed: number;
  /** Distinct committed rows that arrived. */
  readonly arrived: number;
  readonly missing: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Arrived although never committed. */
  readonly uncommitted: number;
  readonly examples: readonly string[];
}

/** Feed it every record of a key's partitions in offset order, then ask for the result. Order is that within a partition. */
export class LedgerCheck {
  readonly #seen = new Map<string, { readonly sequences: Set<number>; readonly last: Map<number, number> }>();
  readonly #examples: string[] = [];
  #duplicated = 0;
  #outOfOrder = 0;

  record(key: string, sequence: number, partition = 0): void {
    let seen = this.#seen.get(key);
    if (seen === undefined) {
      seen = { sequences: new Set(), last: new Map() };
      this.#seen.set(key, seen);
    }
    if (seen.sequences.has(sequence)) {
      this.#duplicated += 1;
      this.#example(`${key}: ${sequence} twice`);
      return;
    }
    seen.sequences.add(sequence);
    const last = seen.last.get(partition) ?? Number.NEGATIVE_INFINITY;
    if (sequence < last) {
      this.#outOfOrder += 1;
      this.#example(`${key}: ${sequence} after ${last}`);
    } else seen.last.set(partition, sequence);
  }

  result(ledger: Ledger): LedgerResult {
    let missing = 0;
    let uncommitted = 0;
    let arrived = 0;
    for (const key of ledger.keys) {
      const sequences = this.#seen.get(key)?.sequences ?? new Set<number>();
      const away = ledger.sequencesOf(key).filter((sequence) => !sequences.has(sequence));
      const lost = away.filter((sequence) => !ledger.isReplaced(key, sequence));
      if (lost.length > 0) this.#example(`${key}: ${lost[0]} missing`);
      missing += lost.length;
      arrived += ledger.sequencesOf(key).length - away.length;
    }
    for (const [key, { sequences }] of this.#seen) {
      const known = new Set(ledger.sequencesOf(key));
      const strange = [...sequences].filter((sequence) => !known.has(sequence));
      if (strange.length > 0) this.#example(`${key}: ${strange[0]} was never committed`);
      uncommitted += strange.length;
    }
    return {
      committed: ledger.rows,
      arrived,
      missing,
      duplicated: this.#duplicated,
      outOfOrder: this.#outOfOrder,
      uncommitted,
      examples: this.#examples,
    };
  }

  #example(text: string): void {
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(text);
  }
}

/** Compares records in partition and offset order with the ledger; fails with examples. */
export function assertLedgerDelivered(
  ledger: Ledger,
  records: Iterable<{ readonly key: string; readonly sequence: number }>,
): void {
  const check = new LedgerCheck();
  for (const { key, sequence } of records) check.record(key, sequence);
  const { examples, arrived, ...result } = check.result(ledger);
  const clean = { committed: ledger.rows, missing: 0, duplicated: 0, outOfOrder: 0, uncommitted: 0 };
  assert.deepEqual(result, clean, `not each committed row once and in order: ${examples.join('; ')}`);
  assert.equal(arrived, ledger.rows);
}
