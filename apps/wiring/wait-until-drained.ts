/** Waits until every committed row of the sources was moved, delivered and deleted from the outbox, and none waits for a retry. */
import type { Config, SourceConfig } from '#config';
import type { Pool } from '#database';
import type { SourceReader } from '#outbox';
import { countAside, createWriterStore, outboxStatistics } from '#outbox-storage';
import { silentLogger, systemClock } from '#runtime';
import { createSourceReader } from '#source-polling';
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
}

const POLL_MS = 200;
/** Open gaps looked into for rows not moved yet; behind so many the source is not drained anyway. */
const GAPS_MAX = 1_000;

/** Resolves after `deadlineMs` at the latest (and the statement then under way). Rejects with the database's faults. */
export async function waitUntilDrained(options: WaitUntilDrainedOptions): Promise<Drained> {
  const { pool, config, deadlineMs } = options;
  const watched: Watched[] = [];
  for (const source of pickSources(config.sources, options.only)) {
    const reader = await createSourceReader({ pool, source, gapMode: 'time', logger: silentLogger });
    watched.push({ source, reader });
  }
  const endMs = systemClock.nowMs() + deadlineMs;
  for (;;) {
    const why = await whatWaits(options, watched);
    if (why === null) return { drained: true, why };
    if (systemClock.nowMs() + POLL_MS > endMs) return { drained: false, why };
    await systemClock.sleep(POLL_MS);
  }
}

async function whatWaits(
  { pool, config }: WaitUntilDrainedOptions,
  watched: readonly Watched[],
): Promise<string | null> {
  for (const { source, reader } of watched) {
    const why = await whatIsNotMoved(pool, config, source, reader);
    if (why !== null) return why;
  }
  const names = new Set(watched.map(({ source }) => source.name));
  const lanes = await outboxStatistics(pool, config.tables);
  const full = lanes.filter(({ rows, source }) => rows > 0 && names.has(source));
  if (full.length > 0) {
    const rows = full.reduce((sum, lane) => sum + lane.rows, 0);
    return `${rows}${full.some(({ capped }) => capped) ? ' or more' : ''} rows in the outbox`;
  }
  const { retrying } = await countAside(pool, config.tables);
  return retrying > 0 ? `${retrying} rows wait for a retry` : null;
}

async function whatIsNotMoved(
  pool: Pool,
  config: Pick<Config, 'tables'>,
  source: SourceConfig,
  reader: SourceReader,
): Promise<string | null> {
  // The table before the watermark: the other way round, a row moved in between would look like one that is not.
  const highest = await reader.highestPosition();
  const watermark = await createWriterStore({ pool, tables: config.tables }).loadWatermark(source.name);
  if (highest === null) return null;
  if (watermark === null) return `source ${source.name} was never led by a writer`;
  if (highest > watermark.position) return `source ${source.name} is moved up to ${watermark.position} of ${highest}`;
  if (watermark.gaps.length > GAPS_MAX) return `source ${source.name} has ${watermark.gaps.length} open gaps`;
  for (const gap of watermark.gaps) {
    const [late] = await reader.positionsIn(gap, 1);
    if (late !== undefined) return `row ${late} of source ${source.name} committed late and is not moved yet`;
  }
  return null;
}
