/**
 * What is known of the offsets of one partition, from the committed one on: read, running, finished. Pure.
 * A commit covers only what no unfinished message precedes. A failed message counts as finished; its retry or dead letter, and
 * what a handler produced, are written in one transaction with the commit that passes it: a crash neither loses nor doubles it.
 */
import { headerBytes } from '#chunking';
import type { PendingGroup } from './message.ts';

interface Unit {
  /** Ascending. */
  readonly offsets: readonly bigint[];
  finished: boolean;
  readonly pending: readonly PendingGroup[];
  readonly pendingBytes: number;
}

export interface Settlement {
  /** The next offset to read, as Kafka commits it. */
  readonly next: bigint;
  readonly groups: readonly PendingGroup[];
}

/** What one transaction carries at most, unless a message of many offsets, or a single group, has more. */
export interface SettlementLimits {
  readonly groupsMax: number;
  readonly bytesMax: number;
}

const BOUNDLESS: SettlementLimits = { groupsMax: Number.POSITIVE_INFINITY, bytesMax: Number.POSITIVE_INFINITY };

function bytesOf(groups: readonly PendingGroup[]): number {
  let bytes = 0;
  for (const { records } of groups) {
    for (const { key, value, headers } of records) {
      bytes += headerBytes(headers) + (key?.length ?? 0) + (value?.length ?? 0);
    }
  }
  return bytes;
}

export class PartitionLedger {
  /** By offset; in the order they were read first, which is ascending. */
  readonly #units = new Map<bigint, Unit>();
  #seen: bigint;
  #committed: bigint;
  #pendingBytes = 0;

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

  /** Never read before. */
  isNew(offset: bigint): boolean {
    return offset >= this.#seen;
  }

  /** Everything below `next` has been read. */
  seen(next: bigint): void {
    if (next > this.#seen) this.#seen = next;
  }

  /** Of records that wait for their offsets to be passed. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Read, and not finished: a chunk that waits for the rest, or a message that waits for its turn. */
  open(offset: bigint): void {
    const unit = { offsets: [offset], finished: false, pending: [], pendingBytes: 0 };
    if (!this.#units.has(offset)) this.#units.set(offset, unit);
    this.seen(offset + 1n);
  }

  /** All offsets of a message, with what it leaves behind to be written. */
  finish(offsets: readonly bigint[], pending: readonly PendingGroup[] = []): void {
    const unit: Unit = { offsets, finished: true, pending, pendingBytes: bytesOf(pending) };
    const fresh = offsets.filter((offset) => offset >= this.#committed);
    if (fresh.length > 0) this.#pendingBytes += unit.pendingBytes;
    for (const offset of fresh) {
      this.#units.set(offset, unit);
      this.seen(offset + 1n);
    }
  }

  /** How far a commit may go, and what has to be written with it; null when there is nothing new. */
  settlement(limits: SettlementLimits = BOUNDLESS): Settlement | null {
    const whole = this.#bound(this.#seen);
    if (whole <= this.#committed) return null;
    const cut = this.#bound(this.#cutAt(whole, limits));
    const next = cut > this.#committed ? cut : whole;
    const groups = new Set<PendingGroup>();
    for (const [offset, unit] of this.#units) {
      if (offset < next) for (const group of unit.pending) groups.add(group);
    }
    return { next, groups: [...groups] };
  }

  committedTo(next: bigint): void {
    const passed = new Set<Unit>();
    for (const [offset, unit] of this.#units) {
      if (offset >= next) continue;
      this.#units.delete(offset);
      passed.add(unit);
    }
    for (const unit of passed) this.#pendingBytes -= unit.pendingBytes;
    if (next > this.#committed) this.#committed = next;
  }

  /** The first offset whose records are too much for the transaction; `whole` when all fit. */
  #cutAt(whole: bigint, { groupsMax, bytesMax }: SettlementLimits): bigint {
    let groups = 0;
    let bytes = 0;
    const counted = new Set<Unit>();
    for (const [offset, unit] of this.#units) {
      if (offset >= whole || unit.pending.length === 0 || counted.has(unit)) continue;
      counted.add(unit);
      groups += unit.pending.length;
      bytes += unit.pendingBytes;
      if (counted.size > 1 && (groups > groupsMax || bytes > bytesMax)) return offset;
    }
    return whole;
  }

  /** The lowest offset below `highest` that is not finished, but never in the middle of a message: a restart there would find half of it. */
  #bound(highest: bigint): bigint {
    let bound = highest;
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
