/** Begins a writer's term: fences every earlier one, looks for what must not be, and registers a source that nobody has led yet. */
import { asRelayError, crashPoint, RelayError } from '#runtime';
import { missingBetween } from './gap-range.ts';
import { GapSet } from './gap-set.ts';
import { haltOn, refuseHalted } from './halt-on.ts';
import type { PositionRange, SourceReader, WatermarkState } from './ports.ts';
import { refuseOlderDatabase } from './refuse-older-database.ts';
import type { RunSourceOptions, StartFrom } from './run-source-options.ts';
import { NO_FACTS } from './table-facts.ts';
import { WatchTable } from './watch-table.ts';
import { WriterTerm } from './writer-term.ts';

/** Positions below the highest that START_FROM=latest examines for rows of transactions still open. */
const LATEST_LOOKBACK = 10_000;

/** What this process learned in its terms so far. */
export interface Known {
  nextSequence: number;
}

/**
 * Begins a term under a lock that the caller holds: from here on every earlier term is fenced. Registers a new source. Rejects with
 * SOURCE_HALTED when the source is halted, or has to be: then that is written down.
 */
export async function openTerm(options: RunSourceOptions, known: Known): Promise<WriterTerm> {
  const { store, source } = options;
  const found = await store.loadWatermark(source);
  if (found !== null) refuseHalted(found);
  const first = found === null ? await openFirst(options) : null;
  const state = await store.beginTerm(source, options.writerId);
  refuseHalted(state);
  crashPoint('writer-after-term');
  return haltOn<WriterTerm>(
    { store, source, epoch: state.epoch },
    () => openUnder(options, state, known, first),
    () => {
      throw new RelayError('DB_TRANSIENT', `source ${source} was taken over while its term began`);
    },
  );
}

/** A source that nobody has led yet: without its table there is nothing to wait for. */
async function openFirst(options: RunSourceOptions): Promise<SourceReader> {
  try {
    const reader = await options.openReader(null);
    await register(options, reader);
    return reader;
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (error.code !== 'SOURCE_TABLE_MISSING') throw error;
    throw new RelayError('DB_SCHEMA', error.message, { cause: error });
  }
}

async function openUnder(
  options: RunSourceOptions,
  state: WatermarkState,
  known: Known,
  first: SourceReader | null,
): Promise<WriterTerm> {
  const { store, clock, source } = options;
  const gaps = await store.loadGaps(source);
  const lanes = await store.lanesOf(source);
  const markers = (await options.readMarkers?.(lanes)) ?? null;
  refuseOlderDatabase({ state, knownNextSequence: known.nextSequence, markers });
  known.nextSequence = state.nextSequence;
  const facts = (await store.loadTableFacts(source)) ?? NO_FACTS;
  const reader = first ?? (await options.openReader(facts.columns));
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
  const onTypeChanged = (column: string, from: string, to: string) =>
    options.onEvent({ kind: 'column-type-changed', source, column, from, to });
  return new WriterTerm(
    {
      store,
      reader,
      watch: new WatchTable({ store, reader, clock, state, facts, onTypeChanged }),
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
