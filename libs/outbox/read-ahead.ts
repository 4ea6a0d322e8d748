/** Reads the lanes' next rows, and the ones after them while a transaction commits, when more is known to wait. */
import type { LaneHold } from './lane-hold.ts';
import type { TransactionPlan } from './plan-transaction.ts';
import type { BatchLimits, LaneBatch, LaneCursor, SenderStore } from './ports.ts';

export class Ahead {
  readonly #store: SenderStore;
  readonly #limits: BatchLimits;
  readonly #pace: (lanes: number) => BatchLimits;
  #pending: {
    readonly cursors: ReadonlyMap<number, number>;
    readonly batches: Promise<readonly LaneBatch[]>;
  } | null = null;

  /** `limits`: rows of one lane at most; `pace`: of so many lanes together. */
  constructor(store: SenderStore, limits: BatchLimits, pace: (lanes: number) => BatchLimits) {
    this.#store = store;
    this.#limits = limits;
    this.#pace = pace;
  }

  /** Rows after each hold's marker; what was read ahead is used where it started exactly there. */
  async read(holds: readonly LaneHold[], turn: number): Promise<readonly LaneBatch[]> {
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) {
      const ready = await pending.batches;
      const fits = ready.filter((batch) => {
        const hold = holds.find(({ lane }) => lane === batch.lane);
        return hold !== undefined && hold.probation === null && pending.cursors.get(batch.lane) === hold.marker;
      });
      if (fits.some((batch) => batch.rows.length > 0)) return fits;
    }
    const cursors = holds.map((hold) => ({
      lane: hold.lane,
      cursor: hold.marker,
      rowsMax: Math.min(this.#limits.rowsMax, hold.probation?.rowsMax ?? this.#limits.rowsMax),
    }));
    return this.#readAll(cursors, turn);
  }

  /** Starts reading behind a plan that is being delivered; nothing when no lane was cut by a limit. */
  start(holds: readonly LaneHold[], plan: TransactionPlan, batches: readonly LaneBatch[], turn: number): void {
    this.#pending = null;
    if (!batches.some((batch) => batch.full) || holds.some((hold) => hold.probation !== null)) return;
    // Every lane is read again, not only those that were cut: one lane's backlog must not starve the others.
    const cursors: LaneCursor[] = holds.map((hold) => ({
      lane: hold.lane,
      cursor: plan.lastIds.get(hold.lane) ?? hold.marker,
      rowsMax: this.#limits.rowsMax,
    }));
    const read = this.#readAll(cursors, turn);
    // Awaited where it is used; a rejection before that must not count as unhandled.
    read.catch(() => undefined);
    this.#pending = {
      cursors: new Map(cursors.map(({ lane, cursor }) => [lane, cursor])),
      batches: read,
    };
  }

  /** The row limit is a lane's, the byte limit is the transaction's. */
  #readAll(cursors: readonly LaneCursor[], turn: number): Promise<readonly LaneBatch[]> {
    return this.#store.readBatches(rotate(cursors, turn), this.#pace(cursors.length));
  }

  forget(): void {
    this.#pending = null;
  }
}

/** The byte limit falls on whoever comes last, so that everyone comes last in turn. */
function rotate<T>(things: readonly T[], by: number): T[] {
  const start = things.length === 0 ? 0 : by % things.length;
  return [...things.slice(start), ...things.slice(0, start)];
}
