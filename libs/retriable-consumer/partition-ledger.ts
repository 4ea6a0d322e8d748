/**
 * What is known of the offsets of one partition, from the committed one on: read, running, finished. Pure.
 * A commit covers only what no unfinished message precedes; a failed message counts as finished, and its retry or dead letter is
 * written in one transaction with the commit that passes it. So a crash neither loses nor doubles it.
 */
import type { FailureRecord } from './message.ts';

interface Unit {
  /** Ascending. */
  readonly offsets: readonly bigint[];
  finished: boolean;
  readonly failures: FailureRecord[];
}

export interface Settlement {
  /** The next offset to read, as Kafka commits it. */
  readonly next: bigint;
  readonly failures: readonly FailureRecord[];
}

export class PartitionLedger {
  /** By offset; in the order they were read first, which is ascending. */
  readonly #units = new Map<bigint, Unit>();
  #seen: bigint;
  #committed: bigint;

  /** `position`: the first offset that was read. */
  constructor(position: bigint) {
    this.#seen = position;
    this.#committed = position;
  }

  /** Offsets known and not committed. */
  get size(): number {
    return this.#units.size;
  }

  get committed(): bigint {
    return this.#committed;
  }

  /** Read again after a step back: what is finished need not be handled again. */
  isFinished(offset: bigint): boolean {
    return offset < this.#committed || this.#units.get(offset)?.finished === true;
  }

  /** Everything below `next` has been read. */
  seen(next: bigint): void {
    if (next > this.#seen) this.#seen = next;
  }

  /** Read, and not finished: a chunk that waits for the rest, or a message that waits for its turn. */
  open(offset: bigint): void {
    if (!this.#units.has(offset)) this.#units.set(offset, { offsets: [offset], finished: false, failures: [] });
    this.seen(offset + 1n);
  }

  /** All offsets of a message, with the records that its failure leaves behind. */
  finish(offsets: readonly bigint[], failures: readonly FailureRecord[] = []): void {
    const unit: Unit = { offsets, finished: true, failures: [...failures] };
    for (const offset of offsets) {
      if (offset < this.#committed) continue;
      this.#units.set(offset, unit);
      this.seen(offset + 1n);
    }
  }

  /** How far a commit may go, and what has to be written with it; null when there is nothing new. */
  settlement(): Settlement | null {
    const bound = this.#bound();
    if (bound <= this.#committed) return null;
    const failures = new Set<FailureRecord>();
    for (const [offset, unit] of this.#units) {
      if (offset < bound) for (const failure of unit.failures) failures.add(failure);
    }
    return { next: bound, failures: [...failures] };
  }

  committedTo(next: bigint): void {
    for (const offset of this.#units.keys()) if (offset < next) this.#units.delete(offset);
    if (next > this.#committed) this.#committed = next;
  }

  /** The lowest offset that is not finished, but never in the middle of a message: a restart there would find half of it. */
  #bound(): bigint {
    let bound = this.#seen;
    for (const [offset, { finished }] of this.#units) if (!finished && offset < bound) bound = offset;
    for (let lowered = true; lowered; ) {
      lowered = false;
      for (const { offsets } of this.#units.values()) {
        const first = offsets[0] as bigint;
        if (first >= bound || (offsets.at(-1) as bigint) < bound) continue;
        bound = first;
        lowered = true;
      }
    }
    return bound;
  }
}
