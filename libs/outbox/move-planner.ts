/**
 * What a writer moves next: fresh rows past the position, and before them the late rows of open gaps.
 *
 * Order of the reads, and why: fresh rows are read first and open gaps after them, but late rows are moved before fresh ones. A
 * row that committed before another one of its key was inserted is then always seen, and moved, before it (I5).
 *
 * A plan needs nothing of the appends before it but their positions and gaps, which are known before they commit. So the next
 * plan is made while the last one is appended. When an append fails, the term ends and its plans with it.
 */
import type { Clock } from '#runtime';
import type { WriterEvent } from './events.ts';
import { GapSet } from './gap-set.ts';
import { LookBelow } from './look-below.ts';
import { type LateRows, OpenGaps } from './open-gaps.ts';
import type { BatchLimits, SourceBatch, SourceReader, SourceRow, StoredGapPage } from './ports.ts';
import { splitBatch } from './split-batch.ts';
import type { GapsHeld } from './transaction-evidence.ts';

export interface MovePlannerOptions {
  readonly reader: SourceReader;
  readonly clock: Clock;
  readonly limits: BatchLimits;
  /** See `OpenGaps`; 0 in mode `ordered`. */
  readonly gapGraceMs: number;
  /** See `OpenGaps`. */
  readonly gapCostMax?: number;
  readonly onEvent: (event: WriterEvent) => void;
}

/** What one append moves, and what is true after it. */
export interface Move {
  readonly rows: readonly SourceRow[];
  readonly late: number;
  readonly position: bigint;
  readonly gaps: GapSet;
  /** More is waiting. */
  readonly full: boolean;
  /** Positions that the fresh rows show to be missing. */
  readonly opened: bigint;
  readonly closed: { readonly ranges: number; readonly missing: bigint };
}

const NOTHING: SourceBatch = { rows: [], full: false };
const NONE_CLOSED = { ranges: 0, missing: 0n };
/** Pages of gaps, a hundred gaps and more each: then reading of fresh rows pauses. */
const GAP_PAGES_MAX = 50_000;
/**
 * While a reading of gaps goes with every read of fresh rows, and a list of transactions is waited for (some 0.15 s), so many batches
 * are read at once: as much as is moved in that time. With half as many an append in seven waited for its plan.
 */
const BATCHES_PER_READING = { rows: 16, bytes: 2 };

/** A read of fresh rows under way or held over. */
interface FreshRead {
  /** The position it started from. */
  readonly after: bigint;
  /** When it began, no row at or below this one was still to come. */
  readonly floor: bigint;
  readonly batch: Promise<SourceBatch>;
}

export class MovePlanner {
  readonly #options: MovePlannerOptions;
  readonly #source: string;
  readonly #open: OpenGaps;
  readonly #below: LookBelow | null;
  /** Where the last plan ends. */
  #position: bigint;
  #gaps: GapSet;
  #ahead: FreshRead | null = null;

  constructor(options: MovePlannerOptions, source: string, position: bigint, pages: readonly StoredGapPage[]) {
    const { reader, clock } = options;
    this.#options = options;
    this.#source = source;
    this.#position = position;
    this.#gaps = GapSet.restore(pages, clock.nowMs());
    this.#open = new OpenGaps(options, this.#gaps, position);
    this.#below = reader.removal === undefined ? null : new LookBelow(reader.removal, clock);
  }

  get position(): bigint {
    return this.#position;
  }

  get gaps(): GapSet {
    return this.#gaps;
  }

  get gapsDueInMs(): number | null {
    return this.#open.dueInMs;
  }

  get held(): GapsHeld | null {
    return this.#open.held;
  }

  /** So many gaps are open that no fresh rows are read. */
  get isAtBound(): boolean {
    return this.#gaps.pages.length >= GAP_PAGES_MAX;
  }

  /** Mode `consume` looks below the position, where the rows of an append that has not committed still are. */
  get mayPlanAhead(): boolean {
    return this.#below === null;
  }

  /** Fresh rows for the next plan. */
  readAhead(): void {
    this.#ahead ??= this.#read();
  }

  /** One plan at a time. The moves follow each other; none: there is nothing to do. */
  async plan(): Promise<readonly Move[]> {
    await this.#open.tick();
    await this.#lookBelow();
    const read = this.#takeFresh();
    const fresh = await read.batch;
    const late = await this.#open.read(fresh.rows.length > 0);
    const first = this.#lateMove(late);
    const moves = late.full ? [{ ...first, full: true }] : this.#withFresh(first, fresh, read.floor);
    if (late.full) this.#ahead = read;
    const last = moves.at(-1) ?? first;
    const isChanged = last.rows.length > 0 || last.gaps !== this.#gaps;
    this.#position = last.position;
    this.#gaps = last.gaps;
    this.#open.adopt(last.gaps, last.position, last.full);
    return isChanged ? moves : [];
  }

  #lateMove({ rows, closes }: LateRows): Move {
    const filled = this.#open.set.fill(rows.map((row) => row.position));
    const gaps = closes.reduce((left, { stretch, kept }) => left.close(stretch, kept), filled);
    const closed = { ranges: filled.size - gaps.size, missing: filled.missing - gaps.missing };
    return { rows, late: rows.length, position: this.#position, gaps, opened: 0n, closed, full: false };
  }

  /** The late rows and the first fresh ones go together, the rest of a read of several batches after them. */
  #withFresh(late: Move, fresh: SourceBatch, floor: bigint): Move[] {
    const moves: Move[] = [];
    let before = late;
    for (const batch of splitBatch(fresh, this.#options.limits)) {
      const gaps = this.#opened(before, batch.rows, floor);
      const last = batch.rows.at(-1) as SourceRow;
      const move: Move = {
        rows: moves.length === 0 && late.late > 0 ? [...late.rows, ...batch.rows] : batch.rows,
        late: moves.length === 0 ? late.late : 0,
        position: last.position,
        gaps,
        opened: gaps.missing - before.gaps.missing,
        closed: moves.length === 0 ? late.closed : NONE_CLOSED,
        full: batch.full,
      };
      moves.push(move);
      before = move;
    }
    return moves.length === 0 ? [late] : moves;
  }

  /** The gaps that the fresh rows show: those that may still become rows. */
  #opened({ gaps, position }: Move, rows: readonly SourceRow[], floor: bigint): GapSet {
    if (this.#options.reader.gapMode === 'ordered') return gaps;
    const after = floor > position ? floor : position;
    const positions = rows.map((row) => row.position);
    return gaps.open(after, positions, this.#options.clock.nowMs());
  }

  async #lookBelow(): Promise<void> {
    const to = (await this.#below?.look(this.#position, this.#gaps)) ?? null;
    if (to === null) return;
    this.#options.onEvent({ kind: 'went-back', source: this.#source, from: this.#position, to });
    this.#position = to;
    this.#open.rewind(this.#gaps.upTo(to), to);
  }

  #takeFresh(): FreshRead {
    const ahead = this.#ahead;
    this.#ahead = null;
    if (ahead !== null && ahead.after === this.#position) return ahead;
    return this.isAtBound ? { after: this.#position, floor: 0n, batch: Promise.resolve(NOTHING) } : this.#read();
  }

  #read(): FreshRead {
    const { floor, isCostly } = this.#open;
    const { rowsMax, bytesMax } = this.#options.limits;
    const { rows, bytes } = BATCHES_PER_READING;
    const limits = isCostly ? { rowsMax: rowsMax * rows, bytesMax: bytesMax * bytes } : this.#options.limits;
    const batch = this.#options.reader.readAfter(this.#position, limits);
    // The rejection is seen where the batch is awaited; until then it must not count as unhandled.
    batch.catch(() => undefined);
    return { after: this.#position, floor, batch };
  }
}
