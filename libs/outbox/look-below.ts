/**
 * Mode `consume`: looks for rows below the position, outside of every open gap. There are none as long as a gap is closed on
 * evidence and ids only grow; a table emptied by TRUNCATE starts at 1 again, a row may be put in with an id of its own, and in
 * gap mode `time` a transaction may outlast the grace. Whoever deletes what it moves can go back and read on from there.
 *
 * Reading always from the table's start would find the same without a look of its own, but deleted rows stay in the index
 * until the server purges them, and one long transaction anywhere keeps it from that: every read would walk all of them.
 */
import { asRelayError, type Clock } from '#runtime';
import type { GapSet } from './gap-set.ts';
import type { RowRemoval } from './ports.ts';

const LOOK_EVERY_MS = 5_000;
/** A look that takes long (see above) comes less often. */
const REST_PER_LOOK = 20;

export class LookBelow {
  readonly #removal: RowRemoval;
  readonly #clock: Clock;
  #dueMs: number;

  /** The first look is due at once: nobody knows what happened since the last term. */
  constructor(removal: RowRemoval, clock: Clock) {
    this.#removal = removal;
    this.#clock = clock;
    this.#dueMs = clock.nowMs();
  }

  /** The position to read on from, below the present one; null: stay. */
  async look(position: bigint, gaps: GapSet): Promise<bigint | null> {
    const startedMs = this.#clock.nowMs();
    if (startedMs < this.#dueMs) return null;
    const lowest = await this.#ask();
    const doneMs = this.#clock.nowMs();
    this.#dueMs = doneMs + Math.max(LOOK_EVERY_MS, (doneMs - startedMs) * REST_PER_LOOK);
    // A row in a gap is read with the gaps; what may hide behind it is lowest once it is moved.
    if (lowest === null || lowest > position || gaps.has(lowest)) return null;
    // There may be more than one such row, and more than a batch of them.
    this.#dueMs = doneMs;
    return lowest - 1n;
  }

  /**
   * A look that fails for now, such as by the deadline of a statement that had to walk too many deleted rows, must not end the
   * term: there is most likely nothing to be found, and rows past the position are read all the same.
   */
  async #ask(): Promise<bigint | null> {
    try {
      return await this.#removal.lowestPosition();
    } catch (thrown) {
      if (asRelayError(thrown).verdict !== 'retry') throw thrown;
      return null;
    }
  }
}
