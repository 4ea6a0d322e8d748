/**
 * What a broker has left open of transactions that are over for their coordinator (KAFKA-20734): it holds up readers, becomes
 * visible after all with the next commit of the same producer in the same part (a partition, a group of markers), and is
 * aborted when somebody fences the producer.
 */
import type { Entry, Torn, Transaction } from './torn-commits.ts';

/** What became visible after all, and what may not be called settled before the transaction is that ended it. */
export interface Revived {
  readonly entries: readonly Entry[];
  readonly markers: ReadonlyMap<string, number>;
  readonly doubts: ReadonlyMap<string, number>;
}

const NOTHING: Revived = { entries: [], markers: new Map(), doubts: new Map() };

interface Leftover {
  readonly transaction: Transaction;
  readonly entries: readonly Entry[];
}

export class Leftovers {
  /** By producer and part. */
  readonly #open = new Map<string, Map<string, Leftover>>();
  /** What may be called settled of their markers meanwhile, by producer and name. */
  readonly #doubted = new Map<string, Map<string, number>>();

  get producers(): readonly string[] {
    return [...this.#open.keys()];
  }

  leave({ lost, doubts }: Torn): void {
    for (const { by, part, transaction, entries } of lost) {
      if (by === null) continue;
      const parts = this.#open.get(by) ?? new Map<string, Leftover>();
      const before = parts.get(part);
      if (before !== undefined) for (const entry of entries) entry.transaction = before.transaction;
      const all = before === undefined ? entries : [...before.entries, ...entries];
      this.#open.set(by, parts.set(part, { transaction: before?.transaction ?? transaction, entries: all }));
    }
    for (const { name, by, settled } of doubts) {
      if (by === null || !this.#open.has(by)) continue;
      const doubted = this.#doubted.get(by) ?? new Map<string, number>();
      this.#doubted.set(by, doubted.set(name, Math.min(settled, doubted.get(name) ?? settled)));
    }
  }

  /** True while a marker is pending: whoever could still write it was not fenced. */
  hasPending(name: string): boolean {
    return [...this.#open.values()].some((parts) =>
      [...parts.values()].some(({ transaction }) => transaction.markers.has(name)),
    );
  }

  /** What may be called settled of a marker that is `value` otherwise: nothing of a transaction that is still open in part. */
  settled(name: string, value: number): number {
    return Math.min(value, ...[...this.#doubted.values()].map((doubted) => doubted.get(name) ?? value));
  }

  /** A commit of the same producer ends with it what is open in the parts it has touched. */
  revive(by: string, next: Transaction): Revived {
    const parts = this.#open.get(by);
    if (parts === undefined) return NOTHING;
    const revived: Entry[] = [];
    const markers = new Map<string, number>();
    const doubts = new Map(this.#doubted.get(by));
    for (const [part, { transaction, entries }] of parts) {
      if (!next.parts.has(part)) continue;
      parts.delete(part);
      for (const entry of entries) entry.transaction = next;
      revived.push(...entries);
      for (const [name, value] of transaction.markers) if (!next.markers.has(name)) markers.set(name, value);
    }
    for (const [name, value] of markers) next.markers.set(name, value);
    if (parts.size === 0) this.#forget(by);
    return { entries: revived, markers, doubts };
  }

  /** An abort of the producer ends what is open in the parts it is about. */
  abort(by: string, isMeant: (part: string) => boolean): void {
    const parts = this.#open.get(by);
    if (parts === undefined) return;
    for (const [part, { transaction }] of parts) {
      if (!isMeant(part)) continue;
      transaction.fate = 'aborted';
      parts.delete(part);
    }
    if (parts.size === 0) this.#forget(by);
  }

  #forget(by: string): void {
    this.#open.delete(by);
    this.#doubted.delete(by);
  }
}
