/**
 * One writer's term over one source: what the planner planned goes to the outbox, in one fenced transaction a move.
 * After any fault the caller throws the term object away and begins from what the database says.
 */
import { asRelayError, crashPoint } from '#runtime';
import { addressRows } from './address-rows.ts';
import type { GapSet } from './gap-set.ts';
import { haltOn } from './halt-on.ts';
import { inIncarnations } from './incarnations.ts';
import { type Move, MovePlanner, type MovePlannerOptions } from './move-planner.ts';
import type { AppendRequest, OutboxMessage, SourceRow, StoredGapPage, WatermarkState, WriterStore } from './ports.ts';
import type { WatchTable } from './watch-table.ts';

export interface WriterTermOptions extends MovePlannerOptions {
  readonly store: WriterStore;
  /** Of this term and reader. */
  readonly watch: WatchTable;
}

export type StepOutcome =
  | { readonly kind: 'idle' | 'fenced' }
  | { readonly kind: 'moved'; readonly lanes: readonly number[]; readonly full: boolean };

const FENCED = (): StepOutcome => ({ kind: 'fenced' });

/** What keeps gaps open is told this often. */
const HELD_EVERY_MS = 1_000;

export class WriterTerm {
  readonly #options: WriterTermOptions;
  readonly #source: string;
  readonly #epoch: number;
  readonly #lanes: readonly number[];
  readonly #planner: MovePlanner;
  readonly #incarnations: WatermarkState['incarnations'];
  /** What is stored. */
  #position: bigint;
  #gaps: GapSet;
  #nextSequence: number;
  /** Planned and not yet appended. */
  #moves: readonly Move[] = [];
  #ahead: Promise<readonly Move[]> | null = null;
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
    this.#planner = new MovePlanner(options, state.source, state.position, gaps);
    this.#incarnations = state.incarnations;
    this.#position = state.position;
    this.#gaps = this.#planner.gaps;
    this.#nextSequence = state.nextSequence;
  }

  /** Milliseconds until an idle writer must look at its open gaps again, or null. */
  get gapsDueInMs(): number | null {
    return this.#planner.gapsDueInMs;
  }

  /** Moves at most one batch. Rejects with RelayError; the term is then to be thrown away. */
  step(): Promise<StepOutcome> {
    const term = { store: this.#options.store, source: this.#source, epoch: this.#epoch };
    return haltOn<StepOutcome>(term, () => this.#step(), FENCED);
  }

  async #step(): Promise<StepOutcome> {
    const { watch } = this.#options;
    if (!(await watch.look(this.#position, this.#gaps, this.#nextSequence > 1))) return FENCED();
    this.#reportHeld();
    const move = await this.#next();
    const hasRows = move !== null && move.rows.length > 0;
    const isSame = !hasRows || (await watch.recognise(this.#position, this.#gaps, this.#nextSequence > 1));
    // Also when there are no rows: a column may be gone by the time there are.
    if (!isSame || !(await watch.noteColumns())) return FENCED();
    if (move === null) return { kind: 'idle' };
    crashPoint('writer-before-append');
    const named = inIncarnations(this.#source, this.#incarnations, move.rows);
    const { messages, lanes, bytes } = addressRows(named, this.#lanes, this.#nextSequence);
    const startedMs = this.#options.clock.nowMs();
    const nextSequence = this.#nextSequence + messages.length;
    if (!(await this.#append(move, messages, nextSequence))) return FENCED();
    crashPoint('writer-after-append');
    this.#adopt(move, nextSequence);
    if (messages.length > 0) {
      this.#options.onEvent({
        kind: 'moved',
        source: this.#source,
        rows: messages.length,
        late: move.late,
        bytes,
        appendMs: this.#options.clock.nowMs() - startedMs,
        position: move.position,
        nextSequence,
        gaps: move.gaps.size,
      });
    }
    return { kind: 'moved', lanes, full: move.full };
  }

  async #next(): Promise<Move | null> {
    if (this.#moves.length === 0) {
      if (this.#planner.isAtBound) {
        this.#options.onEvent({ kind: 'gaps-at-bound', source: this.#source, gaps: this.#planner.gaps.size });
      }
      const ahead = this.#ahead;
      this.#ahead = null;
      this.#moves = await (ahead ?? this.#planner.plan());
    }
    const [move, ...later] = this.#moves;
    this.#moves = later;
    return move ?? null;
  }

  /** Not before the rows of an append are sent: those read ahead would be encoded while the server waits for them. */
  #planAhead(move: Move): void {
    if (this.#ahead !== null || !(this.#moves.at(-1) ?? move).full) return;
    if (!this.#planner.mayPlanAhead) {
      // The rows that the last move of a plan leaves waiting.
      if (this.#moves.length === 0) this.#planner.readAhead();
      return;
    }
    this.#ahead = this.#planner.plan();
    // The rejection is seen where the plan is awaited; until then it must not count as unhandled.
    this.#ahead.catch(() => undefined);
  }

  /** True when the batch is certainly committed, whatever way we learned it; false when this term is over. */
  async #append(move: Move, messages: readonly OutboxMessage[], nextSequence: number): Promise<boolean> {
    const { store } = this.#options;
    try {
      const request = {
        source: this.#source,
        epoch: this.#epoch,
        expectedNextSequence: this.#nextSequence,
        next: { position: move.position, gaps: move.gaps.changesSince(this.#gaps), nextSequence },
        messages,
        server: this.#options.reader.server ?? null,
        ...this.#takeOut(move.rows),
      };
      const onUnderWay = () => this.#planAhead(move);
      const outcome = await store.append(request, onUnderWay);
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

  #adopt(move: Move, nextSequence: number): void {
    this.#position = move.position;
    this.#gaps = move.gaps;
    this.#nextSequence = nextSequence;
    this.#reportGaps(move);
  }

  #reportGaps({ gaps, opened, closed }: Move): void {
    const { onEvent } = this.#options;
    if (closed.missing > 0n) onEvent({ kind: 'gaps-closed', source: this.#source, ...closed });
    const last = gaps.pages.at(-1)?.last;
    if (opened > 0n && last !== undefined) {
      onEvent({ kind: 'gaps-opened', source: this.#source, missing: opened, last });
    }
  }

  /** Nothing that keeps gaps open stays unsaid; said once more when none is left. */
  #reportHeld(): void {
    const nowMs = this.#options.clock.nowMs();
    const isTold = nowMs - this.#toldHeldMs < HELD_EVERY_MS;
    if (this.#planner.gaps.isEmpty ? !this.#wereHeld : isTold) return;
    const { held } = this.#planner;
    this.#toldHeldMs = nowMs;
    this.#wereHeld = held !== null;
    const { ranges = 0, missing = 0n, oldestMs = 0, staleMs = 0, holder = null } = held ?? {};
    this.#options.onEvent({
      kind: 'gaps-held',
      source: this.#source,
      ranges,
      missing,
      oldestMs,
      staleMs,
      holders: holder?.count ?? 0,
      connection: holder?.transaction.connection ?? null,
      since: holder?.transaction.startedAt ?? null,
    });
  }
}
