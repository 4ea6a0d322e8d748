/**
 * Gap mode `transactions`: which missing positions can still become rows, told by the server's running transactions (I1).
 *
 * A position below one that was sighted was handed out before that sighting, so its owner was running by then. A list of the
 * running transactions, made a grace after the sighting (an id is handed out an instant before its transaction shows), names the
 * owner. From then on it is enough to follow the transactions of the list until they have ended; no gap is probed.
 *
 * So each listed transaction has one number: the sighted position of the last list that did not show it. It owns no position at
 * or below that. The lowest of these numbers is the floor: every row at or below it that will ever be there is there.
 */
import { lowerOf } from './gap-range.ts';
import type { RunningTransaction, TransactionList } from './ports.ts';

interface Followed {
  readonly transaction: RunningTransaction;
  /** It owns no position at or below this one. */
  readonly above: bigint;
}

/** The oldest transaction that keeps gaps open. */
export interface GapHolder {
  readonly transaction: RunningTransaction;
  readonly count: number;
}

/** What keeps the gaps open. */
export interface GapsHeld {
  readonly ranges: number;
  readonly missing: bigint;
  readonly oldestMs: number;
  readonly holder: GapHolder | null;
  /** How long the server has given no fresh list of its transactions; 0: the last one was fresh. */
  readonly staleMs: number;
}

/**
 * The same transaction? What cannot be told apart counts as the same, since that only waits longer. A transaction that has not
 * written yet has no id; one that is prepared (XA) keeps its id when its connection goes.
 */
const isSame = (a: RunningTransaction, b: RunningTransaction): boolean =>
  a.id !== null && b.id !== null ? a.id === b.id : a.connection === b.connection && a.startedAt === b.startedAt;

export class TransactionEvidence {
  #followed: readonly Followed[] = [];
  #server: string | null = null;
  #listedAt = 0n;
  #floor = 0n;
  /** Gaps above it may have become rows since they were last read. */
  #dirtyAbove = 0n;
  /** What was dirty when the reading under way began; null: none is under way. */
  #readingAbove: bigint | null = null;

  /** Every row at or below it that will ever be there is there, for a read that begins now. */
  get floor(): bigint {
    return this.#floor;
  }

  /** Gaps at or below it cannot have become rows between the last reading and the last list. */
  get dirtyAbove(): bigint {
    const reading = this.#readingAbove ?? this.#dirtyAbove;
    return lowerOf(reading, this.#dirtyAbove);
  }

  /** The sighted position of the last list. */
  get listedAt(): bigint {
    return this.#listedAt;
  }

  get holder(): GapHolder | null {
    const [first, ...others] = this.#followed;
    if (first === undefined) return null;
    const oldest = others.reduce((low, each) => (each.above < low.above ? each : low), first);
    return { transaction: oldest.transaction, count: this.#followed.length };
  }

  /** `sighted`: the highest position sighted at least a grace before the list was begun. */
  listed({ server, transactions }: TransactionList, sighted: bigint): void {
    if (this.#server !== null && this.#server !== server) this.forget();
    this.#server = server;
    const left = new Set(this.#followed);
    const followed: Followed[] = [];
    for (const transaction of transactions) {
      const known = this.#followed.find((each) => isSame(each.transaction, transaction));
      if (known !== undefined) left.delete(known);
      followed.push({ transaction, above: known?.above ?? this.#listedAt });
    }
    for (const { above } of left) if (above < this.#dirtyAbove) this.#dirtyAbove = above;
    // A transaction that came and went between two lists owns only what was sighted after the first of them.
    if (this.#listedAt < this.#dirtyAbove) this.#dirtyAbove = this.#listedAt;
    this.#followed = followed;
    this.#listedAt = sighted > this.#listedAt ? sighted : this.#listedAt;
    const floor = followed.reduce((low, { above }) => lowerOf(above, low), this.#listedAt);
    if (floor > this.#floor) this.#floor = floor;
  }

  /** Gaps above the position were opened by a read that may have begun before the last list. */
  opened(above: bigint): void {
    if (above < this.#dirtyAbove) this.#dirtyAbove = above;
  }

  /** All gaps above `dirtyAbove` are about to be read. A list that is taken in meanwhile tells of what that reading may miss. */
  beginReading(): void {
    this.#readingAbove = this.dirtyAbove;
    this.#dirtyAbove = this.#listedAt;
  }

  endReading(isComplete: boolean): void {
    if (!isComplete) this.#dirtyAbove = this.dirtyAbove;
    this.#readingAbove = null;
  }

  /** Positions are handed out anew, or another server answers: nothing that was learned holds any more. */
  forget(): void {
    this.#followed = [];
    this.#server = null;
    this.#listedAt = 0n;
    this.#floor = 0n;
    this.#dirtyAbove = 0n;
    this.#readingAbove = null;
  }
}
