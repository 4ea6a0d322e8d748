/**
 * The open gaps of a writer's term: when to read them for late rows, and when to close them.
 *
 * When a step has fresh rows, every late row that had committed before the fresh rows were read must go before them (I5). Few gaps
 * are read whole in each step. Many are not: in mode `transactions` a new list of the running transactions, made after the fresh
 * read, says which gaps cannot have changed. In the other modes the young gaps are read, and the old ones in turn.
 */
import type { Clock } from '#runtime';
import { lowerOf } from './gap-range.ts';
import type { GapSet, Stretch } from './gap-set.ts';
import { findPresent, joinBatches, readLate } from './late-rows.ts';
import { type Answer, Listing } from './listing.ts';
import { hearing, LiveTime } from './live-time.ts';
import type { BatchLimits, SourceBatch, SourceReader, SourceRow } from './ports.ts';
import { Sightings } from './sightings.ts';
import { type GapsHeld, TransactionEvidence } from './transaction-evidence.ts';

export interface OpenGapsOptions {
  readonly reader: SourceReader;
  readonly clock: Clock;
  readonly limits: BatchLimits;
  /**
   * Mode `transactions`: from sighting a gap to the list that must name its owner. Mode `locks`: within it an owner's row is in its
   * place. Mode `time`: within it an owner's transaction has ended.
   */
  readonly gapGraceMs: number;
  /** Look-ups that a step with fresh rows spends on gaps at most, where it has the choice. */
  readonly gapCostMax?: number;
}

/** Late rows, and what the step may close once they are moved. */
export interface LateRows {
  readonly rows: readonly SourceRow[];
  /** More are to be read before any fresh row goes. */
  readonly full: boolean;
  readonly closes: readonly { readonly stretch: Stretch; readonly kept: readonly bigint[] }[];
}

/** Look-ups that a step spends on gaps at most, where it has the choice: some milliseconds of the server's. */
const COST_MAX = { fresh: 1_000, idle: 200, single: 50 };
/** Lists of transactions come this far apart, while gaps are young and later. */
const LIST_EVERY_MS = { young: 200, old: 500 };
/** A writer that is behind asks for the highest position this often. */
const HIGHEST_EVERY_MS = 500;
/** An idle writer looks at gaps this often. */
const PACE_MS = { young: 40, old: 200 };
/** So long after the last gap was opened gaps are young. */
const YOUNG_MS = 5_000;
/** Mode `locks`: uncommitted rows are looked for this often. */
const PRESENT_EVERY_MS = 250;
const PRESENT_ROWS_MAX = 5_000;
/** Lists asked for in vain before every gap is read instead. */
const FRESH_LISTS_MAX = 2;

const NOTHING: SourceBatch = { rows: [], full: false };

export class OpenGaps {
  readonly #options: OpenGapsOptions;
  readonly #evidence = new TransactionEvidence();
  readonly #sightings: Sightings;
  readonly #settled: Sightings;
  readonly #live: LiveTime;
  #set: GapSet;
  #position: bigint;
  #openedLiveMs = 0;
  readonly #listing: Listing;
  #presentMs = Number.NEGATIVE_INFINITY;
  #isBehind = true;
  #highestMs = Number.NEGATIVE_INFINITY;
  /** Modes without a list: old gaps are read in turn, from here on. */
  #turn = 0n;

  constructor(options: OpenGapsOptions, set: GapSet, position: bigint) {
    this.#options = options;
    this.#set = set;
    this.#position = position;
    this.#live = new LiveTime(options.clock.nowMs());
    this.#listing = new Listing(options.reader, options.clock);
    this.#sightings = new Sightings(options.gapGraceMs);
    this.#settled = new Sightings(YOUNG_MS);
    this.#sight(position);
  }

  get set(): GapSet {
    return this.#set;
  }

  /** A read that begins now need not open gaps at or below it. */
  get floor(): bigint {
    const { gapMode } = this.#options.reader;
    if (gapMode === 'transactions') return this.#evidence.floor;
    if (gapMode === 'time') return this.#sightings.ripe(this.#live.ms);
    return 0n;
  }

  /** Before fresh rows go, so much is read in gaps, or waited for, that a reading should serve several batches of them. */
  get isCostly(): boolean {
    return this.#set.cost > Math.min(COST_MAX.single, this.#freshCostMax);
  }

  /** Milliseconds until an idle writer must look at its gaps again; null without gaps. */
  get dueInMs(): number | null {
    if (this.#set.isEmpty) return null;
    return this.#isYoung() ? PACE_MS.young : PACE_MS.old;
  }

  get held(): GapsHeld | null {
    const { oldestMs } = this.#set;
    if (oldestMs === null) return null;
    const nowMs = this.#options.clock.nowMs();
    return {
      ranges: this.#set.size,
      missing: this.#set.missing,
      oldestMs: Math.max(0, nowMs - oldestMs),
      holder: this.#options.reader.gapMode === 'transactions' ? this.#evidence.holder : null,
      staleMs: this.#listing.staleMs,
    };
  }

  /** Once a plan, before anything is read: takes in what was learned. */
  async tick(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    this.#live.advance(nowMs);
    if (this.#options.reader.gapMode !== 'transactions') return;
    this.#learn(this.#listing.take());
    if (this.#isBehind && nowMs - this.#highestMs >= HIGHEST_EVERY_MS) {
      // Every row up to there is sighted by it, long before it is read.
      this.#highestMs = nowMs;
      const highest = await this.#options.reader.highestPosition();
      if (highest !== null) this.#sight(highest);
    }
    if (this.#set.isEmpty && this.#isBehind) this.#askWhenDue();
  }

  /** Late rows to go before the step's fresh ones, if it has any. While it is full, those fresh rows have to wait. */
  async read(hasFresh: boolean): Promise<LateRows> {
    if (this.#set.isEmpty) return { rows: [], full: false, closes: [] };
    const { reader } = this.#options;
    if (hasFresh) await this.#learnBeforeScan();
    const floor = reader.gapMode === 'transactions' ? this.#evidence.floor : this.#sightings.ripe(this.#live.ms);
    this.#evidence.beginReading();
    let isComplete = false;
    try {
      const { batch, stretches } = await this.#readAtOnce(hasFresh);
      isComplete = !batch.full;
      // What a limit cut off has not been read.
      const end = batch.full ? (batch.rows.at(-1)?.position ?? -1n) : this.#position;
      const closes: LateRows['closes'][number][] = [];
      for (const { above, upTo } of stretches) {
        closes.push(...(await this.#closable({ above, upTo: lowerOf(upTo, end) }, floor, stretches.length > 1)));
      }
      return { ...batch, closes };
    } finally {
      this.#evidence.endReading(isComplete);
    }
  }

  /** What is stored by now. `isBehind`: more fresh rows are waiting than a batch holds. */
  adopt(set: GapSet, position: bigint, isBehind: boolean): void {
    if (position > this.#position && set.pages.at(-1) !== this.#set.pages.at(-1)) this.#openedLiveMs = this.#live.ms;
    if (position > this.#position) this.#evidence.opened(this.#position);
    this.#set = set;
    this.#position = position;
    this.#isBehind = isBehind;
    this.#sight(position);
  }

  /** Positions are handed out anew from here on. */
  rewind(set: GapSet, position: bigint): void {
    this.#evidence.forget();
    this.#sightings.forget();
    this.#settled.forget();
    this.#listing.forget();
    this.#set = set;
    this.#position = position;
    this.#sight(position);
  }

  get #freshCostMax(): number {
    return this.#options.gapCostMax ?? COST_MAX.fresh;
  }

  /**
   * As long as no list covers the gaps, each reading reads all of them. So where one would say more than the last one did, it is
   * waited for before a costly reading, and not only after it.
   */
  async #learnBeforeScan(): Promise<void> {
    const { reader } = this.#options;
    if (reader.gapMode !== 'transactions' || this.#set.cost <= this.#freshCostMax) return;
    if (this.#sightings.ripe(this.#live.ms) <= this.#evidence.listedAt) return;
    const dirty = this.#set.pagesIn({ above: this.#evidence.dirtyAbove, upTo: this.#position });
    if (dirty.reduce((sum, { cost }) => sum + cost, 0) > this.#freshCostMax) await this.#listAnew(false);
  }

  #sight(position: bigint): void {
    this.#sightings.sight(position, this.#live.ms);
    this.#settled.sight(position, this.#live.ms);
  }

  #isYoung(): boolean {
    return this.#live.ms - this.#openedLiveMs < YOUNG_MS;
  }

  /**
   * All of it as of one moment: rows of one transaction lie in several gaps, and a reading that saw the later ones and had missed
   * the earlier ones would change their places (I5).
   */
  async #readAtOnce(hasFresh: boolean): Promise<{ batch: SourceBatch; stretches: readonly Stretch[] }> {
    const { reader, limits } = this.#options;
    const all: Stretch = { above: -1n, upTo: this.#position };
    const costMax = this.#freshCostMax;
    const isCheap = this.#set.cost <= (hasFresh ? costMax : Math.min(costMax, COST_MAX.idle));
    return reader.inSnapshot(async (snapshot) => {
      const heard = hearing(snapshot, () => this.#live.advance(this.#options.clock.nowMs()));
      const read = (stretch: Stretch) => readLate(heard, this.#set.pagesIn(stretch), stretch, limits);
      // Within the snapshot, so that the list is younger.
      const isAsked = reader.gapMode === 'transactions' && this.#askWhenDue(hasFresh && !isCheap ? 0 : undefined);
      if (isCheap) return { batch: await read(all), stretches: [all] };
      if (reader.gapMode !== 'transactions') return this.#readInTurn(read);
      const young: Stretch = { above: this.#evidence.dirtyAbove, upTo: this.#position };
      const later = await read(young);
      if (!hasFresh && later.rows.length === 0) return { batch: later, stretches: [young] };
      // Only a list that is younger than the snapshot tells which older gaps can have nothing in it.
      const isKnown = await this.#listAnew(isAsked);
      const old: Stretch = { above: isKnown ? this.#evidence.dirtyAbove : -1n, upTo: young.above };
      if (old.above >= old.upTo) return { batch: later, stretches: [young] };
      const earlier = await read(old);
      if (earlier.full) return { batch: earlier, stretches: [old] };
      return { batch: joinBatches(earlier, later, limits), stretches: [old, young] };
    });
  }

  /** Modes without a list: the order of a row that comes late in an old gap depends on when the gap has its turn. */
  async #readInTurn(read: (stretch: Stretch) => Promise<SourceBatch>) {
    const batches: SourceBatch[] = [];
    const stretches = this.#inTurn();
    for (const stretch of stretches) batches.push(await read(stretch));
    const [first = NOTHING, second = NOTHING] = batches;
    return { batch: first.full ? first : joinBatches(first, second, this.#options.limits), stretches };
  }

  /** Young gaps, and as many of the old ones as a step may cost, in turn. */
  #inTurn(): Stretch[] {
    const young = this.#settled.ripe(this.#live.ms);
    let cost = 0;
    let upTo = this.#turn;
    for (const page of this.#set.pagesIn({ above: this.#turn, upTo: young })) {
      if (cost > COST_MAX.idle) break;
      cost += page.cost;
      upTo = lowerOf(page.last, young);
    }
    const old: Stretch = { above: this.#turn, upTo };
    this.#turn = upTo >= young || upTo === this.#turn ? -1n : upTo;
    const stretches = [old, { above: young, upTo: this.#position }];
    return stretches.filter(({ above, upTo: end }) => end > above);
  }

  async #closable(read: Stretch, floor: bigint, isInTurn: boolean): Promise<LateRows['closes']> {
    const stretch = { above: read.above, upTo: lowerOf(read.upTo, floor) };
    if (stretch.upTo <= stretch.above) return [];
    const { reader, clock } = this.#options;
    const pages = this.#set.pagesIn(stretch);
    if (pages.length === 0) return [];
    if (reader.gapMode !== 'locks') return [{ stretch, kept: [] }];
    const nowMs = clock.nowMs();
    if (!isInTurn && nowMs - this.#presentMs < PRESENT_EVERY_MS) return [];
    this.#presentMs = nowMs;
    const kept = await findPresent(reader, pages, PRESENT_ROWS_MAX);
    const last = kept.length < PRESENT_ROWS_MAX ? stretch.upTo : (kept.at(-1) as bigint);
    return [{ stretch: { above: stretch.above, upTo: lowerOf(last, stretch.upTo) }, kept }];
  }

  /** True: asked now. */
  #askWhenDue(everyMs = this.#isYoung() ? LIST_EVERY_MS.young : LIST_EVERY_MS.old): boolean {
    return this.#listing.ask(everyMs, this.#sightings.ripe(this.#live.ms));
  }

  #learn(answer: Answer | null): boolean {
    if (answer === null || answer.list === null) return false;
    this.#evidence.listed(answer.list, answer.sighted);
    return true;
  }

  /** True when a list has been taken in that was asked for after the call, or that is under way and was asked for `inTime`. */
  async #listAnew(inTime: boolean): Promise<boolean> {
    for (let attempt = 0; attempt < FRESH_LISTS_MAX; attempt += 1) {
      if (attempt > 0 || !inTime) {
        // One under way may have been begun before the snapshot.
        this.#learn(await this.#listing.wait());
        this.#askWhenDue(0);
      }
      if (this.#learn(await this.#listing.wait())) return true;
    }
    return false;
  }
}
