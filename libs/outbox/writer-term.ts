/**
 * One writer's term over one source: read past the high mark, look after the gaps, move rows in one fenced transaction.
 *
 * Order of a step, and why: fresh rows are read first and open gaps after them, but late rows are emitted before fresh
 * ones. A row that committed before another one of its key was inserted is then always seen, and moved, before it (I5).
 * After any fault the caller throws the term object away and begins from what the database says.
 */
import { asRelayError, type Clock, crashPoint } from '#runtime';
import { addressRows } from './address-rows.ts';
import type { WriterEvent } from './events.ts';
import { GapSet } from './gap-set.ts';
import { haltOn } from './halt-on.ts';
import { inIncarnations } from './incarnations.ts';
import { LookBelow } from './look-below.ts';
import { OpenGaps } from './open-gaps.ts';
import type {
  AppendRequest,
  BatchLimits,
  OutboxMessage,
  SourceBatch,
  SourceReader,
  SourceRow,
  StoredGapPage,
  WatermarkState,
  WriterStore,
} from './ports.ts';
import type { WatchTable } from './watch-table.ts';

export interface WriterTermOptions {
  readonly store: WriterStore;
  readonly reader: SourceReader;
  /** Of this term and reader. */
  readonly watch: WatchTable;
  readonly clock: Clock;
  readonly limits: BatchLimits;
  /** See `OpenGaps`; 0 in mode `ordered`. */
  readonly gapGraceMs: number;
  /** See `OpenGaps`. */
  readonly gapCostMax?: number;
  readonly onEvent: (event: WriterEvent) => void;
}

export type StepOutcome =
  | { readonly kind: 'idle' | 'fenced' }
  | { readonly kind: 'moved'; readonly lanes: readonly number[]; readonly full: boolean };

const NOTHING: SourceBatch = { rows: [], full: false };
const FENCED = (): StepOutcome => ({ kind: 'fenced' });
/** Pages of gaps, a hundred gaps and more each: then reading of fresh rows pauses. */
const GAP_PAGES_MAX = 50_000;
/** What keeps gaps open is told this often. */
const HELD_EVERY_MS = 1_000;

interface Plan {
  readonly rows: readonly SourceRow[];
  readonly late: number;
  readonly position: bigint;
  readonly gaps: GapSet;
  readonly full: boolean;
  /** Positions that the fresh rows show to be missing. */
  readonly opened: bigint;
  readonly closed: { readonly ranges: number; readonly missing: bigint };
}

/** A read of fresh rows under way or held over. */
interface FreshRead {
  /** The high mark it started from. */
  readonly after: bigint;
  /** When it began, no row at or below this one was still to come. */
  readonly floor: bigint;
  readonly batch: Promise<SourceBatch>;
}

export class WriterTerm {
  readonly #options: WriterTermOptions;
  readonly #source: string;
  readonly #epoch: number;
  readonly #lanes: readonly number[];
  #position: bigint;
  /** What is stored. */
  #gaps: GapSet;
  readonly #open: OpenGaps;
  #nextSequence: number;
  readonly #below: LookBelow | null;
  readonly #incarnations: WatermarkState['incarnations'];
  #ahead: FreshRead | null = null;
  #toldHeldMs = Number.NEGATIVE_INFINITY;
  #wereHeld = false;

  constructor(
    options: WriterTermOptions,
    state: WatermarkState,
    gaps: readonly StoredGapPage[],
    lanes: readonly number[],
  ) {
    this.#options = options;
    this.#source = state.source;
    this.#epoch = state.epoch;
    this.#lanes = lanes;
    this.#position = state.position;
    this.#gaps = GapSet.restore(gaps, options.clock.nowMs());
    this.#open = new OpenGaps(options, this.#gaps, state.position);
    this.#nextSequence = state.nextSequence;
    this.#incarnations = state.incarnations;
    const { removal } = options.reader;
    this.#below = removal === undefined ? null : new LookBelow(removal, options.clock);
  }

  /** Milliseconds until an idle writer must look at its open gaps again, or null. */
  get gapsDueInMs(): number | null {
    return this.#open.dueInMs;
  }

  /** Moves at most one batch. Rejects with RelayError; the term is then to be thrown away. */
  step(): Promise<StepOutcome> {
    const term = { store: this.#options.store, source: this.#source, epoch: this.#epoch };
    return haltOn<StepOutcome>(term, () => this.#step(), FENCED);
  }

  async #step(): Promise<StepOutcome> {
    const { watch } = this.#options;
    if (!(await watch.look(this.#position, this.#gaps, this.#nextSequence > 1))) return FENCED();
    this.#open.tick();
    this.#reportHeld();
    const plan = await this.#plan();
    const isSame =
      plan.rows.length === 0 || (await watch.recognise(this.#position, this.#gaps, this.#nextSequence > 1));
    // Also when there are no rows: a column may be gone by the time there are.
    if (!isSame || !(await watch.noteColumns())) return FENCED();
    if (plan.rows.length === 0 && plan.gaps === this.#gaps) {
      this.#open.adopt(plan.gaps, plan.position, false);
      return { kind: 'idle' };
    }
    crashPoint('writer-before-append');
    const named = inIncarnations(this.#source, this.#incarnations, plan.rows);
    const { messages, lanes, bytes } = addressRows(named, this.#lanes, this.#nextSequence);
    const startedMs = this.#options.clock.nowMs();
    const nextSequence = this.#nextSequence + messages.length;
    if (!(await this.#append(plan, messages, nextSequence))) return FENCED();
    crashPoint('writer-after-append');
    this.#adopt(plan, nextSequence);
    if (messages.length > 0) {
      this.#options.onEvent({
        kind: 'moved',
        source: this.#source,
        rows: messages.length,
        late: plan.late,
        bytes,
        appendMs: this.#options.clock.nowMs() - startedMs,
        position: plan.position,
        nextSequence,
        gaps: plan.gaps.size,
      });
    }
    return { kind: 'moved', lanes, full: plan.full };
  }

  async #plan(): Promise<Plan> {
    await this.#lookBelow();
    const read = await this.#fresh();
    const fresh = await read.batch;
    const late = await this.#open.read(fresh.rows.length > 0);
    const filled = this.#open.set.fill(late.rows.map((row) => row.position));
    const left = late.closes.reduce((gaps, { stretch, kept }) => gaps.close(stretch, kept), filled);
    const closed = { ranges: filled.size - left.size, missing: filled.missing - left.missing };
    const plan = { rows: late.rows, late: late.rows.length, position: this.#position, gaps: left, opened: 0n, closed };
    if (late.full) {
      this.#ahead = read;
      return { ...plan, full: true };
    }
    const last = fresh.rows.at(-1);
    if (last === undefined) return { ...plan, full: false };
    const rows = late.rows.length === 0 ? fresh.rows : [...late.rows, ...fresh.rows];
    const gaps = this.#opened(left, fresh, read.floor);
    return { ...plan, rows, position: last.position, gaps, opened: gaps.missing - left.missing, full: fresh.full };
  }

  /** The gaps that the fresh rows show: those that may still become rows. */
  #opened(gaps: GapSet, fresh: SourceBatch, floor: bigint): GapSet {
    if (this.#options.reader.gapMode === 'ordered') return gaps;
    const after = floor > this.#position ? floor : this.#position;
    const positions = fresh.rows.map((row) => row.position);
    return gaps.open(after, positions, this.#options.clock.nowMs());
  }

  async #lookBelow(): Promise<void> {
    const to = (await this.#below?.look(this.#position, this.#gaps)) ?? null;
    if (to === null) return;
    this.#options.onEvent({ kind: 'went-back', source: this.#source, from: this.#position, to });
    this.#position = to;
    this.#open.rewind(this.#gaps.upTo(to), to);
  }

  async #fresh(): Promise<FreshRead> {
    const ahead = this.#ahead;
    this.#ahead = null;
    if (ahead !== null && ahead.after === this.#position) return ahead;
    if (this.#gaps.pages.length >= GAP_PAGES_MAX) {
      this.#options.onEvent({ kind: 'gaps-at-bound', source: this.#source, gaps: this.#gaps.size });
      return { after: this.#position, floor: 0n, batch: Promise.resolve(NOTHING) };
    }
    return this.#read(this.#position);
  }

  #read(after: bigint): FreshRead {
    const { floor } = this.#open;
    const batch = this.#options.reader.readAfter(after, this.#options.limits);
    // The rejection is seen where the batch is awaited; until then it must not count as unhandled.
    batch.catch(() => undefined);
    return { after, floor, batch };
  }

  /** True when the batch is certainly committed, whatever way we learned it; false when this term is over. */
  async #append(plan: Plan, messages: readonly OutboxMessage[], nextSequence: number): Promise<boolean> {
    const { store } = this.#options;
    try {
      const request = {
        source: this.#source,
        epoch: this.#epoch,
        expectedNextSequence: this.#nextSequence,
        next: { position: plan.position, gaps: plan.gaps.changesSince(this.#gaps), nextSequence },
        messages,
        ...this.#takeOut(plan.rows),
      };
      // Not sooner: the rows read ahead would be encoded while the server waits for these.
      const readAhead = () => {
        if (plan.full && this.#ahead === null) this.#ahead = this.#read(plan.position);
      };
      const outcome = await store.append(request, readAhead);
      return outcome === 'committed';
    } catch (thrown) {
      const error = asRelayError(thrown);
      if (error.code !== 'DB_COMMIT_UNKNOWN') throw error;
      return this.#settleUnknownCommit(error, nextSequence);
    }
  }

  #takeOut(rows: readonly SourceRow[]): Pick<AppendRequest, 'takeOut'> {
    const { removal } = this.#options.reader;
    if (removal === undefined || rows.length === 0) return {};
    const positions = rows.map(({ position }) => position);
    return { takeOut: (transaction) => removal.remove(transaction, positions) };
  }

  /**
   * The watermark row decides a commit whose answer was lost. Not committed is not final, since the server may still
   * be at it: the fault is passed on, and the next term object's compare-and-set waits for the row and finds out.
   */
  async #settleUnknownCommit(error: Error, nextSequence: number): Promise<boolean> {
    const found = await this.#options.store.loadWatermark(this.#source);
    const fenced = found === null || found.epoch !== this.#epoch;
    const committed = !fenced && found.nextSequence === nextSequence && nextSequence !== this.#nextSequence;
    const outcome = fenced ? 'fenced' : committed ? 'committed' : 'not-committed';
    this.#options.onEvent({ kind: 'commit-unknown', source: this.#source, found: outcome });
    if (fenced) return false;
    if (committed) return true;
    throw error;
  }

  #adopt(plan: Plan, nextSequence: number): void {
    this.#position = plan.position;
    this.#gaps = plan.gaps;
    this.#nextSequence = nextSequence;
    this.#open.adopt(plan.gaps, plan.position, plan.full);
    this.#reportGaps(plan);
  }

  #reportGaps({ gaps, opened, closed }: Plan): void {
    const { onEvent } = this.#options;
    if (closed.missing > 0n) onEvent({ kind: 'gaps-closed', source: this.#source, ...closed });
    const last = gaps.pages.at(-1)?.last;
    if (opened > 0n && last !== undefined) {
      onEvent({ kind: 'gaps-opened', source: this.#source, missing: opened, last });
    }
  }

  /** Nothing that keeps gaps open stays unsaid; said once more when none is left. */
  #reportHeld(): void {
    const { held } = this.#open;
    const nowMs = this.#options.clock.nowMs();
    if (held === null && !this.#wereHeld) return;
    if (held !== null && nowMs - this.#toldHeldMs < HELD_EVERY_MS) return;
    this.#toldHeldMs = nowMs;
    this.#wereHeld = held !== null;
    const { ranges = 0, missing = 0n, oldestMs = 0, staleMs = 0, holder = null } = held ?? {};
    this.#options.onEvent({
      kind: 'gaps-held',
      source: this.#source,
      ranges,
      missing,
      oldestMs: Math.round(oldestMs),
      staleMs: Math.round(staleMs),
      holders: holder?.count ?? 0,
      connection: holder?.transaction.connection ?? null,
      since: holder?.transaction.startedAt ?? null,
    });
  }
}
