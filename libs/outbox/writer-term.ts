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
import { examineGaps } from './examine-gaps.ts';
import { type Gap, GapSet } from './gap-set.ts';
import { LookBelow } from './look-below.ts';
import type {
  AppendRequest,
  BatchLimits,
  OutboxMessage,
  SourceBatch,
  SourceReader,
  SourceRow,
  WatermarkState,
  WriterStore,
} from './ports.ts';

export interface WriterTermOptions {
  readonly store: WriterStore;
  readonly reader: SourceReader;
  readonly clock: Clock;
  readonly limits: BatchLimits;
  /** An empty range is probed once more this long after the first empty probe before it closes; in mode `time`, how long a gap stays open. */
  readonly gapGraceMs: number;
  /** Reading of fresh rows pauses while this many gaps are open. */
  readonly gapsMax: number;
  /** Probes a step at most, so that gaps never starve fresh rows. */
  readonly probesMax: number;
  readonly onEvent: (event: WriterEvent) => void;
}

export type StepOutcome =
  | { readonly kind: 'idle' | 'fenced' }
  | {
      readonly kind: 'moved';
      readonly lanes: readonly number[];
      readonly full: boolean;
    };

const NOTHING: SourceBatch = { rows: [], full: false };

interface Plan {
  readonly rows: readonly SourceRow[];
  readonly late: number;
  readonly position: bigint;
  readonly gaps: GapSet;
  readonly full: boolean;
}

export class WriterTerm {
  readonly #options: WriterTermOptions;
  readonly #source: string;
  readonly #epoch: number;
  readonly #lanes: readonly number[];
  #position: bigint;
  #gaps: GapSet;
  #nextSequence: number;
  readonly #below: LookBelow | null;
  /** A read of fresh rows under way or held over, valid for the high mark it started from. */
  #ahead: {
    readonly after: bigint;
    readonly batch: Promise<SourceBatch>;
  } | null = null;

  constructor(options: WriterTermOptions, state: WatermarkState, lanes: readonly number[]) {
    this.#options = options;
    this.#source = state.source;
    this.#epoch = state.epoch;
    this.#lanes = lanes;
    this.#position = state.position;
    this.#gaps = GapSet.restore(state.gaps, options.clock.nowMs());
    this.#nextSequence = state.nextSequence;
    const { removal } = options.reader;
    this.#below = removal === undefined ? null : new LookBelow(removal, options.clock);
  }

  /**
   * Milliseconds until a gap that was found empty must be probed again, or null. Empty probes too far apart prove nothing
   * together: resting longer than this, an idle writer would never close a gap.
   */
  get evidenceDueInMs(): number | null {
    const due = this.#gaps.gaps.filter((gap) => gap.emptySinceMs !== null).map((gap) => gap.probeAtMs);
    return due.length === 0 ? null : Math.max(1, Math.min(...due) - this.#options.clock.nowMs());
  }

  /** Moves at most one batch. Rejects with RelayError; the term is then to be thrown away. */
  async step(): Promise<StepOutcome> {
    const plan = await this.#plan();
    if (plan.rows.length === 0 && plan.gaps === this.#gaps) return { kind: 'idle' };
    crashPoint('writer-before-append');
    const { messages, lanes, bytes } = addressRows(plan.rows, this.#lanes, this.#nextSequence);
    const startedMs = this.#options.clock.nowMs();
    const nextSequence = this.#nextSequence + messages.length;
    const committed = await this.#append(plan, messages, nextSequence);
    if (!committed) return { kind: 'fenced' };
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
    const startedMs = this.#options.clock.nowMs();
    const fresh = await this.#fresh();
    const late = this.#gaps.size > 0 ? await this.#readLate() : NOTHING;
    let gaps = this.#gaps.fill(
      late.rows.map((row) => row.position),
      startedMs,
    );
    if (late.full) {
      this.#ahead = { after: this.#position, batch: Promise.resolve(fresh) };
      return {
        rows: late.rows,
        late: late.rows.length,
        position: this.#position,
        gaps,
        full: true,
      };
    }
    gaps = await this.#examine(gaps, startedMs);
    const last = fresh.rows.at(-1);
    if (last === undefined) {
      return {
        rows: late.rows,
        late: late.rows.length,
        position: this.#position,
        gaps,
        full: false,
      };
    }
    // Sighted now, not when the read began: a value may have been handed out while a slow read was under way, and its
    // transaction has the whole grace from then on.
    const positions = fresh.rows.map((row) => row.position);
    gaps = gaps.open(this.#position, positions, this.#options.clock.nowMs());
    const rows = late.rows.length === 0 ? fresh.rows : [...late.rows, ...fresh.rows];
    return {
      rows,
      late: late.rows.length,
      position: last.position,
      gaps,
      full: fresh.full,
    };
  }

  async #lookBelow(): Promise<void> {
    const to = (await this.#below?.look(this.#position, this.#gaps)) ?? null;
    if (to === null) return;
    this.#options.onEvent({ kind: 'went-back', source: this.#source, from: this.#position, to });
    this.#position = to;
    this.#gaps = this.#gaps.upTo(to);
  }

  async #fresh(): Promise<SourceBatch> {
    const ahead = this.#ahead;
    this.#ahead = null;
    if (ahead !== null && ahead.after === this.#position) return ahead.batch;
    if (this.#gaps.size >= this.#options.gapsMax) {
      this.#options.onEvent({
        kind: 'gaps-at-bound',
        source: this.#source,
        gaps: this.#gaps.size,
      });
      return NOTHING;
    }
    return this.#options.reader.readAfter(this.#position, this.#options.limits);
  }

  #readAhead(after: bigint): void {
    const batch = this.#options.reader.readAfter(after, this.#options.limits);
    // The rejection is seen where the batch is awaited; until then it must not count as unhandled.
    batch.catch(() => undefined);
    this.#ahead = { after, batch };
  }

  #readLate(): Promise<SourceBatch> {
    return this.#options.reader.readRanges(this.#gaps.ranges(), this.#options.limits);
  }

  async #examine(gaps: GapSet, readStartedMs: number): Promise<GapSet> {
    const { reader, clock, gapGraceMs, probesMax } = this.#options;
    const onClosed = (gap: Gap) => this.#reportClosed(gap);
    const examined = await examineGaps({ reader, clock, gapGraceMs, probesMax, onClosed }, gaps, readStartedMs);
    // Evidence alone is not worth a transaction: only a change of the ranges is written.
    if (examined.size === gaps.size && gaps === this.#gaps) this.#gaps = examined;
    return examined;
  }

  /** True when the batch is certainly committed, whatever way we learned it; false when this term is over. */
  async #append(plan: Plan, messages: readonly OutboxMessage[], nextSequence: number): Promise<boolean> {
    const { store } = this.#options;
    try {
      const request = {
        source: this.#source,
        epoch: this.#epoch,
        expectedNextSequence: this.#nextSequence,
        next: {
          position: plan.position,
          gaps: plan.gaps.ranges(),
          nextSequence,
        },
        messages,
        ...this.#takeOut(plan.rows),
      };
      // Not sooner: the rows read ahead would be encoded while the server waits for these.
      const readAhead = () => {
        if (plan.full) this.#readAhead(plan.position);
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
    this.#options.onEvent({
      kind: 'commit-unknown',
      source: this.#source,
      found: fenced ? 'fenced' : committed ? 'committed' : 'not-committed',
    });
    if (fenced) return false;
    if (committed) return true;
    throw error;
  }

  #adopt(plan: Plan, nextSequence: number): void {
    this.#reportOpened(plan);
    this.#position = plan.position;
    this.#gaps = plan.gaps;
    this.#nextSequence = nextSequence;
  }

  #reportOpened(plan: Plan): void {
    for (const gap of plan.gaps.gaps) {
      if (gap.from > this.#position) {
        this.#options.onEvent({
          kind: 'gap-opened',
          source: this.#source,
          from: gap.from,
          to: gap.to,
        });
      }
    }
  }

  #reportClosed(gap: Gap): void {
    const openMs = this.#options.clock.nowMs() - gap.seenAtMs;
    this.#options.onEvent({
      kind: 'gap-closed',
      source: this.#source,
      from: gap.from,
      to: gap.to,
      openMs,
    });
  }
}
