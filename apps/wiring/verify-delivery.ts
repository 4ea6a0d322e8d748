/**
 * Compares topics with their sources, while the relay runs or after it stopped. The order of reading makes the result right:
 * first how far each source was moved, then what waits in the outbox and aside, then the topics to the end they had then,
 * and last the rows. A row moved before the first reading is by then in the outbox, aside, or in the topics.
 */
import type { Config, SourceConfig } from '#config';
import type { Pool } from '#database';
import { createTopicAdmin, type KafkaConnection, type ReadBatch, readTopics } from '#kafka-delivery';
import { howToGoOn, type PositionRange, rangesOf, type WatermarkState } from '#outbox';
import { createSenderStore, createWriterStore, listWaiting, loadStart, type SourceStart } from '#outbox-storage';
import { RelayError, silentLogger } from '#runtime';
import { createSourceReader, listSourcePositions } from '#source-polling';
import { type CheckTotals, ChunkedRows, DeliveryCheck, type SourceCheck, summarise } from '#verification';
import { fixedTopics, namedTopics, notedTopics, routedPrefix, topicsThere } from './source-topics.ts';

export interface VerifyDeliveryOptions {
  readonly config: Pick<Config, 'sources' | 'tables'>;
  readonly pool: Pool;
  readonly kafka: KafkaConnection;
  /** Names of the sources to check; all of them when absent. */
  readonly only?: readonly string[];
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Ends the comparison with STOPPED. */
  readonly signal?: AbortSignal;
}

/** Records and rows read so far, and how many are known to come. */
export interface VerifyProgress {
  readonly what: 'records' | 'rows';
  readonly done: number;
  readonly total: number;
}

export interface VerifyDeliveryResult {
  readonly sources: readonly SourceCheck[];
  readonly totals: CheckTotals;
  /** What limits the result, one sentence each. */
  readonly notes: readonly string[];
}

interface Subject {
  readonly source: SourceConfig;
  readonly check: DeliveryCheck;
  /** Rows above it came after the start of the comparison. */
  readonly highest: bigint | null;
}

/** Records of a sender that died are in the way until Kafka ends its transaction, 40 s after its begin by default. */
const STALL_MS_MAX = 90_000;
const LOWEST_POSITION = -(2n ** 63n);

/** Rejects with CONFIG_INVALID for an unknown source, and with the faults of database and Kafka. */
export async function verifyDelivery(options: VerifyDeliveryOptions): Promise<VerifyDeliveryResult> {
  const notes: string[] = [];
  const sources = pickSources(options.config.sources, options.only);
  const subjects: Subject[] = [];
  const halted: string[] = [];
  for (const source of sources) subjects.push(await openSubject(options, source, notes, halted));
  const bySource = new Map(subjects.map((subject) => [subject.source.name, subject.check]));
  await readWaiting(options, bySource);
  await readRecords(options, sources, bySource, notes);
  for (const subject of subjects) await readRows(options, subject);
  const checks = subjects.map(({ check }) => check.result());
  return { sources: checks, totals: failHalted(summarise(checks), halted), notes };
}

export function pickSources(sources: readonly SourceConfig[], only?: readonly string[]): readonly SourceConfig[] {
  if (only === undefined || only.length === 0) return sources;
  return only.map((name) => {
    const found = sources.find((source) => source.name === name);
    if (found) return found;
    const known = sources.map((source) => source.name).join(', ');
    throw new RelayError('CONFIG_INVALID', `there is no source ${name}; the sources are: ${known}`);
  });
}

/** Rows of a halted source may have ids that were delivered before, as those of other rows: nothing can be said for sure. */
export function noteHalted(watermark: WatermarkState | null, notes: string[], halted: string[]): void {
  if (watermark?.state !== 'halted') return;
  const { source, cause, why } = watermark;
  halted.push(source);
  notes.push(
    `source ${source} is halted, and rows of the same ids are taken for each other: ${why}; ${howToGoOn(source, cause)}`,
  );
}

export const failHalted = (totals: CheckTotals, halted: readonly string[]): CheckTotals =>
  halted.length === 0 ? totals : { ...totals, passed: false };

async function openSubject(
  options: VerifyDeliveryOptions,
  source: SourceConfig,
  notes: string[],
  halted: string[],
): Promise<Subject> {
  const { pool, config } = options;
  const { name } = source;
  const store = createWriterStore({ pool, tables: config.tables });
  // In this order: gaps opened in between lie above the watermark, and those closed in between were moved or will never be rows.
  const watermark = await store.loadWatermark(name);
  const gaps = (await store.loadGaps(name)).flatMap(rangesOf);
  if (watermark === null) notes.push(`source ${name} was never led by a writer: all of its rows are pending`);
  noteHalted(watermark, notes, halted);
  const start = await loadStart({ pool, tables: config.tables }, name);
  const rowsStay = source.mode === 'append';
  if (rowsStay) notes.push(...noteOnStart(source, start));
  else notes.push(`source ${name}: rows leave the table as they are moved, so missing ones cannot be seen`);
  const highest = rowsStay ? await highestPosition(pool, source) : null;
  return { source, highest, check: new DeliveryCheck({ ...scopeOf(source, watermark, gaps, start), rowsStay }) };
}

function noteOnStart({ name, startFrom }: SourceConfig, start: SourceStart | null): readonly string[] {
  if (start !== null && start.after > 0n) {
    const count = start.gaps.length;
    const open = count === 0 ? '' : `, but for ${count} gap${count === 1 ? '' : 's'} open then`;
    return [`source ${name} began after ${start.after}: rows up to there are not compared${open}`];
  }
  if (start !== null || startFrom !== 'latest') return [];
  return [`source ${name} began at the latest row: rows before the first one delivered are not compared`];
}

/** Without a start written down (by an older version), the setting of now and what was delivered have to do. */
function scopeOf(
  source: SourceConfig,
  watermark: WatermarkState | null,
  gaps: readonly PositionRange[],
  start: SourceStart | null,
) {
  const { name, startFrom } = source;
  return {
    source: name,
    upTo: watermark?.position ?? LOWEST_POSITION,
    gaps,
    incarnations: watermark?.incarnations ?? [],
    after: start?.after ?? (typeof startFrom === 'bigint' ? startFrom - 1n : null),
    startGaps: start?.gaps ?? [],
    startsAtFirstSeen: start === null && startFrom === 'latest',
  };
}

async function highestPosition(pool: Pool, source: SourceConfig): Promise<bigint | null> {
  const reader = await createSourceReader({ pool, source, gapMode: 'time', logger: silentLogger });
  return reader.highestPosition();
}

async function readWaiting(options: VerifyDeliveryOptions, checks: ReadonlyMap<string, DeliveryCheck>): Promise<void> {
  const { pool, config } = options;
  for await (const page of listWaiting({ pool, tables: config.tables })) {
    for (const row of page) {
      checks.get(row.source)?.noteOnItsWay({ ...row, where: placeOf(row.state) });
    }
  }
}

const placeOf = (state: string) => (state === 'outbox' || state === 'dead' ? state : 'aside');

async function findTopics(options: VerifyDeliveryOptions, sources: readonly SourceConfig[], notes: string[]) {
  const { pool, config, only } = options;
  const named = new Set(await notedTopics(createSenderStore({ pool, tables: config.tables }), sources, only));
  for (const source of sources) for (const topic of await namedTopics(pool, source)) named.add(topic);
  const admin = createTopicAdmin(options.kafka);
  try {
    for (const prefix of new Set(sources.map(routedPrefix))) {
      if (prefix !== null) for (const topic of await admin.listTopics(prefix)) named.add(topic);
    }
    return await topicsThere(admin, fixedTopics(sources), named, notes);
  } finally {
    await admin.close();
  }
}

async function readRecords(
  options: VerifyDeliveryOptions,
  sources: readonly SourceConfig[],
  checks: ReadonlyMap<string, DeliveryCheck>,
  notes: string[],
): Promise<void> {
  const topics = await findTopics(options, sources, notes);
  if (topics.length === 0) return;
  const partitions = new Map<string, ReadBatch>();
  const chunks = new ChunkedRows();
  for await (const batch of readTopics(options.kafka, { topics, to: 'written', stallMsMax: STALL_MS_MAX })) {
    const { topic, partition } = batch;
    for (const record of batch.records) {
      const source = record.headers.source;
      if (source === undefined) continue;
      const { headers, offset, rawHeaders } = record;
      const row = rawHeaders === null ? record : chunks.whole({ topic, partition, ...record });
      if (row !== null) checks.get(source)?.record({ topic, partition, offset, key: row.key, headers });
    }
    partitions.set(`${topic} ${partition}`, { ...batch, records: [] });
    stopIfAborted(options);
    options.onProgress?.(progressOf(partitions.values()));
  }
  for (const [name, { start }] of partitions) {
    if (start > 0) {
      notes.push(`partition ${name} begins at offset ${start}: what the topic has dropped before counts as missing`);
    }
  }
}

function stopIfAborted({ signal }: VerifyDeliveryOptions): void {
  if (signal?.aborted) throw new RelayError('STOPPED', 'the comparison was interrupted');
}

function progressOf(partitions: Iterable<ReadBatch>): VerifyProgress {
  let done = 0;
  let total = 0;
  for (const { start, position, end } of partitions) {
    done += position - start;
    total += end - start;
  }
  return { what: 'records', done, total };
}

async function readRows(options: VerifyDeliveryOptions, { source, check, highest }: Subject): Promise<void> {
  if (highest === null) return;
  let rows = 0;
  const { pool, onProgress } = options;
  const total = check.result().records;
  for await (const page of listSourcePositions({ pool, source, upTo: highest })) {
    for (const { position, key } of page) check.sourceRow(position, key);
    rows += page.length;
    stopIfAborted(options);
    onProgress?.({ what: 'rows', done: rows, total: Math.max(total, rows) });
  }
}
