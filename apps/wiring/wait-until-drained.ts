/** Waits until every row that the sources hold now was moved, delivered and deleted from the outbox, and none waits for a retry. */
import type { Config, SourceConfig } from '#config';
import type { Pool } from '#database';
import { rangesOf, type SourceReader } from '#outbox';
import { countAside, createSenderStore, createWriterStore, outboxStatistics } from '#outbox-storage';
import { silentLogger, systemClock } from '#runtime';
import { createSourceReader } from '#source-polling';
import { rowsInTurn } from './rows-in-turn.ts';
import { pickSources } from './verify-delivery.ts';

export interface WaitUntilDrainedOptions {
  readonly config: Pick<Config, 'sources' | 'tables'>;
  readonly pool: Pool;
  /** Names of the sources; all of them when absent or empty. */
  readonly only?: readonly string[];
  readonly deadlineMs: number;
}

export interface Drained {
  readonly drained: boolean;
  /** What is still waiting, when something is. */
  readonly why: string | null;
}

interface Watched {
  readonly source: SourceConfig;
  readonly reader: SourceReader;
  /** Highest committed position at the start; null: the table was empty. */
  readonly highest: bigint | null;
}

const POLL_MS = 200;

/**
 * Rows committed after the call do not keep it waiting, so that it ends while the application goes on. Resolves after
 * `deadlineMs` at the latest (and the statement then under way). Rejects with the database's faults.
 */
export async function waitUntilDrained(options: WaitUntilDrainedOptions): Promise<Drained> {
  const { pool, config, deadlineMs } = options;
  const watched: Watched[] = [];
  for (const source of pickSources(config.sources, options.only)) {
    const reader = await createSourceReader({ pool, source, gapMode: 'time', logger: silentLogger });
    watched.push({ source, reader, highest: await reader.highestPosition() });
  }
  const endMs = systemClock.nowMs() + deadlineMs;
  let movedAtMs: number | null = null;
  for (;;) {
    let why: string | null = null;
    if (movedAtMs === null) {
      why = await whatIsNotMoved(options, watched);
      if (why === null) movedAtMs = systemClock.nowMs();
    }
    if (movedAtMs !== null) why = await whatIsNotDelivered(options, watched, movedAtMs);
    if (why === null) return { drained: true, why };
    if (systemClock.nowMs() + POLL_MS > endMs) return { drained: false, why };
    await systemClock.sleep(POLL_MS);
  }
}

async function whatIsNotMoved(
  { pool, config }: WaitUntilDrainedOptions,
  watched: readonly Watched[],
): Promise<string | null> {
  const store = createWriterStore({ pool, tables: config.tables });
  for (const { source, reader, highest } of watched) {
    if (highest === null) continue;
    const watermark = await store.loadWatermark(source.name);
    if (watermark === null) return `source ${source.name} was never led by a writer`;
    if (highest > watermark.position) return `source ${source.name} is moved up to ${watermark.position} of ${highest}`;
    const gaps = (await store.loadGaps(source.name)).flatMap(rangesOf).filter(({ from }) => from <= highest);
    const [late] = await reader.committedIn(gaps, 1);
    if (late !== undefined) return `row ${late} of source ${source.name} committed late and is not moved yet`;
  }
  return null;
}

/** A row that was in the outbox at `movedAtMs` is older, by the database's clock, than the time that passed since then. */
async function whatIsNotDelivered(
  { pool, config }: WaitUntilDrainedOptions,
  watched: readonly Watched[],
  movedAtMs: number,
): Promise<string | null> {
  const names = new Set(watched.map(({ source }) => source.name));
  const passedMs = systemClock.nowMs() - movedAtMs;
  const lanes = await outboxStatistics(pool, config.tables);
  const full = lanes.filter(({ source, oldestAgeMs }) => names.has(source) && (oldestAgeMs ?? -1) >= passedMs);
  if (full.length > 0) {
    const rows = full.reduce((sum, lane) => sum + lane.rows, 0);
    return `${rows}${full.some(({ capped }) => capped) ? ' or more' : ''} rows in the outbox`;
  }
  const { retrying, waiting } = await countAside(pool, config.tables);
  if (retrying > 0) return `${retrying} rows wait for a retry`;
  if (waiting > 0) return `${waiting} rows wait for topics or partitions that take nothing`;
  const theirs = lanes.filter(({ source }) => names.has(source));
  const turns = await rowsInTurn(createSenderStore({ pool, tables: config.tables }), theirs);
  return turns > 0 ? `${turns} rows that waited behind another of their key are next` : null;
}
