/**
 * A writer's life for one source: stand by until elected, begin a term (which fences every earlier one), step until the
 * lock is lost, the term is fenced, a fault comes or the process stops; then start over. Faults of the world are waited out
 * with backoff; a fatal one halts this source and leaves the others running (I8).
 */
import { asRelayError, type BackoffLimits, backoffMs, type Clock, crashPoint, type Random } from '#runtime';
import type { WriterEvent } from './events.ts';
import { missingBetween } from './gap-range.ts';
import { GapSet } from './gap-set.ts';
import type {
  BatchLimits,
  Doorbell,
  LeaderElection,
  LeaderTerm,
  PositionRange,
  SourceReader,
  WriterStore,
} from './ports.ts';
import { refuseOlderDatabase } from './refuse-older-database.ts';
import { Wake } from './wake.ts';
import { WriterTerm } from './writer-term.ts';

export type StartFrom = 'earliest' | 'latest' | bigint;

export interface RunSourceOptions {
  readonly source: string;
  readonly writerId: string;
  readonly lanes: number;
  readonly startFrom: StartFrom;
  readonly store: WriterStore;
  /** Opened for each term, so that a changed table is seen anew; rejects with DB_SCHEMA when the table cannot be read. */
  readonly openReader: () => Promise<SourceReader>;
  /** Markers of the lanes as Kafka has them now, -1 for none; null when they cannot be read in time. Absent: not looked at. */
  readonly readMarkers?: (lanes: readonly number[]) => Promise<ReadonlyMap<number, number> | null>;
  readonly election: LeaderElection;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: BatchLimits;
  /** The longest pause between two polls of an idle source; the pace backs off towards it step by step. */
  readonly pollIntervalMs: number;
  /** By how much an idle writer's looks move apart, up to `pollIntervalMs`; 1.5 when absent. */
  readonly paceGrowth?: number;
  readonly gapGraceMs: (reader: SourceReader) => number;
  /** See `OpenGaps`. */
  readonly gapCostMax?: number;
  readonly backoff: BackoffLimits;
  /** How often a standby asks for the lock; a `leader-gone` ring makes it ask at once. */
  readonly electionIntervalMs: number;
  /** May this process lead one more source now? Lets two writers share sources out; a lone source is always wanted. */
  readonly mayLead: () => boolean;
  /** Should this term be handed over to a writer that leads fewer sources? */
  readonly shouldHandOver: () => boolean;
  readonly onEvent: (event: WriterEvent) => void;
}

const PACE_MIN_MS = 4;
const PACE_GROWTH = 1.5;
/** Positions below the highest that START_FROM=latest examines for rows of transactions still open. */
const LATEST_LOOKBACK = 10_000;

/** What this process learned in its terms so far. */
export interface Known {
  nextSequence: number;
}

interface Life {
  readonly signal: AbortSignal;
  readonly wake: Wake;
  readonly known: Known;
}

type TermEnd = 'stopped' | 'lock-lost' | 'fenced' | 'handed-over';

/** Runs until the signal aborts. Rejects only with a fatal RelayError: the source is halted. */
export async function runSource(options: RunSourceOptions, signal: AbortSignal): Promise<void> {
  const wake = new Wake();
  const hush = options.doorbell.listen((ring) => {
    if ((ring.kind === 'leader-gone' || ring.kind === 'source-rows') && ring.source === options.source) wake.ring();
  });
  const stop = () => wake.ring();
  signal.addEventListener('abort', stop);
  const known: Known = { nextSequence: 0 };
  let faults = 0;
  let standing = false;
  try {
    while (!signal.aborted) {
      wake.clear();
      const lock = options.mayLead() ? await options.election.tryAcquire(options.source) : null;
      if (lock === null) {
        if (!standing) options.onEvent({ kind: 'standing-by', source: options.source });
        standing = true;
        await wake.wait(options.clock, options.electionIntervalMs);
        continue;
      }
      standing = false;
      options.onEvent({ kind: 'elected', source: options.source });
      const delayMs = await leadOnce(options, lock, { signal, wake, known }, faults);
      faults = delayMs === null ? 0 : faults + 1;
      if (delayMs !== null) await options.clock.sleep(delayMs, signal);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    hush();
  }
}

/** One term under the lock. Resolves to the pause before the next attempt, or null after a term that ended well. */
async function leadOnce(
  options: RunSourceOptions,
  lock: LeaderTerm,
  life: Life,
  faults: number,
): Promise<number | null> {
  try {
    const why = await term(options, lock, life);
    options.onEvent({ kind: 'term-ended', source: options.source, why });
    return why === 'handed-over' ? options.electionIntervalMs * 4 : null;
  } catch (thrown) {
    const error = asRelayError(thrown);
    const facts = {
      source: options.source,
      code: error.code,
      message: error.message,
    };
    options.onEvent({
      kind: 'term-ended',
      source: options.source,
      why: 'fault',
    });
    if (error.verdict !== 'retry') {
      options.onEvent({ kind: 'source-halted', ...facts });
      throw error;
    }
    const attempt = faults + 1;
    // Deadlocks and lock waits pass by themselves; everything else is waited out at the configured pace.
    const delayMs =
      error.code === 'DB_TRANSIENT' ? 50 * options.random() : backoffMs(attempt, options.backoff, options.random);
    options.onEvent({ kind: 'writer-retry', ...facts, attempt, delayMs });
    return delayMs;
  } finally {
    await lock.release();
  }
}

async function term(options: RunSourceOptions, lock: LeaderTerm, life: Life): Promise<TermEnd> {
  const { signal, wake, known } = life;
  const current = await openTerm(options, known);
  const lost = () => wake.ring();
  lock.signal.addEventListener('abort', lost);
  try {
    let paceMs = PACE_MIN_MS;
    while (!signal.aborted) {
      if (lock.signal.aborted) return 'lock-lost';
      if (options.shouldHandOver()) return 'handed-over';
      wake.clear();
      const outcome = await current.step();
      if (outcome.kind === 'fenced') return 'fenced';
      if (outcome.kind === 'moved' && outcome.lanes.length > 0)
        options.doorbell.ring({ kind: 'rows', lanes: outcome.lanes });
      if (outcome.kind === 'moved' && outcome.full) continue;
      paceMs =
        outcome.kind === 'moved'
          ? PACE_MIN_MS
          : Math.min(options.pollIntervalMs, paceMs * (options.paceGrowth ?? PACE_GROWTH));
      // Either may have come while the wake-up was being cleared.
      if (signal.aborted || lock.signal.aborted) continue;
      await wake.wait(options.clock, Math.min(paceMs, current.gapsDueInMs ?? paceMs));
    }
    return 'stopped';
  } finally {
    lock.signal.removeEventListener('abort', lost);
  }
}

/** Begins a term under a lock that the caller holds: from here on every earlier term is fenced. Registers a new source. */
export async function openTerm(options: RunSourceOptions, known: Known): Promise<WriterTerm> {
  const { store, clock, source } = options;
  const reader = await options.openReader();
  if ((await store.loadWatermark(source)) === null) await register(options, reader);
  const state = await store.beginTerm(source, options.writerId);
  crashPoint('writer-after-term');
  const gaps = await store.loadGaps(source);
  const lanes = await store.lanesOf(source);
  const markers = (await options.readMarkers?.(lanes)) ?? null;
  refuseOlderDatabase({ state, knownNextSequence: known.nextSequence, markers });
  known.nextSequence = state.nextSequence;
  options.onEvent({
    kind: 'term-begun',
    source,
    epoch: state.epoch,
    position: state.position,
    gaps: gaps.reduce((sum, { ranges }) => sum + ranges, 0),
  });
  if (lanes.length !== options.lanes) {
    options.onEvent({ kind: 'lanes-differ', source, lanes: lanes.length, setting: options.lanes });
  }
  return new WriterTerm(
    {
      store,
      reader,
      clock,
      limits: options.limits,
      gapGraceMs: options.gapGraceMs(reader),
      ...(options.gapCostMax === undefined ? {} : { gapCostMax: options.gapCostMax }),
      onEvent: (event) => {
        if (event.kind === 'moved') known.nextSequence = event.nextSequence;
        options.onEvent(event);
      },
    },
    state,
    gaps,
    lanes,
  );
}

async function register(options: RunSourceOptions, reader: SourceReader): Promise<void> {
  const { position, gaps } = await firstPosition(options.startFrom, reader);
  await options.store.registerSource({
    source: options.source,
    position,
    gaps: GapSet.of(gaps, 0).pages,
    lanes: options.lanes,
  });
}

/** Where a new source starts. `latest` keeps the holes just below the highest row open: their transactions may be under way. */
export async function firstPosition(
  startFrom: StartFrom,
  reader: SourceReader,
): Promise<{ position: bigint; gaps: readonly PositionRange[] }> {
  if (startFrom === 'earliest') return { position: 0n, gaps: [] };
  if (startFrom !== 'latest') return { position: startFrom - 1n, gaps: [] };
  const highest = await reader.highestPosition();
  if (highest === null) return { position: 0n, gaps: [] };
  const lowest = highest > BigInt(LATEST_LOOKBACK) ? highest - BigInt(LATEST_LOOKBACK) : 0n;
  const seen = await reader.committedIn([{ from: lowest + 1n, to: highest }], LATEST_LOOKBACK);
  return { position: highest, gaps: missingBetween(lowest, seen) };
}
