/**
 * Compares topics with the sources of a file. Rows of mode `append` are compared one by one, as on a server. Rows of mode
 * `consume` leave the table, but each was given the next sequence number of its source, which its record carries: so all
 * numbers up to the next one must be there, once.
 */
import type { Config, SourceConfig } from '#config';
import { createTopicAdmin, type KafkaConnection, readTopics } from '#kafka-delivery';
import { sequenceOf } from '#outbox';
import { ConsumeQueue, createSenderStore, createSourceReader, fileIdOf, type SqliteFile } from '#sqlite-storage';
import { DeliveryCheck, summarise } from '#verification';
import type { Operator } from '../wiring/operator.ts';
import { fixedTopics, notedTopics, topicsThere } from '../wiring/source-topics.ts';
import {
  failHalted,
  noteHalted,
  pickSources,
  type VerifyDeliveryResult,
  type VerifyProgress,
} from '../wiring/verify-delivery.ts';
import { findReusedIds } from './reused-ids.ts';
import { sqliteOperator } from './sqlite-operator.ts';

export interface VerifySqliteOptions {
  readonly file: SqliteFile;
  readonly config: Config;
  readonly kafka: KafkaConnection;
  /** Names of the sources; all of them when empty. */
  readonly only: readonly string[];
  /** Beside the sources' own: topics that rows name. */
  readonly topics: readonly string[];
  readonly onProgress: (progress: VerifyProgress) => void;
}

interface Subject {
  readonly source: SourceConfig;
  readonly check: DeliveryCheck;
  readonly upTo: bigint;
}

const STALL_MS_MAX = 90_000;
const PAGE_ROWS_MAX = 10_000;

/** Rejects with CONFIG_INVALID for an unknown source, and with the faults of file and Kafka. */
export async function verifySqlite(options: VerifySqliteOptions): Promise<VerifyDeliveryResult> {
  const { file, config, only } = options;
  const operator = await sqliteOperator(file, config);
  const sources = pickSources(config.sources, only);
  const notes: string[] = [];
  const topics = await findTopics(options, sources, notes);
  const subjects = new Map<string, Subject>();
  const halted: string[] = [];
  for (const source of sources) {
    noteHalted(await operator.loadWatermark(source.name), notes, halted);
    subjects.set(source.name, await openSubject(operator, source, notes));
  }
  for await (const page of operator.listWaiting()) {
    for (const row of page) {
      const subject = subjects.get(row.source);
      const where = row.state === 'outbox' || row.state === 'dead' ? row.state : 'aside';
      subject?.check.noteOnItsWay({ ...row, eventId: idOf(subject.source, row.eventId, row.outboxId), where });
    }
  }
  await readRecords(options, { topics, fileId: await fileIdOf(file, config.tables) }, subjects, notes);
  for (const subject of subjects.values()) await readRows(file, subject);
  const reused = await reusedIdsOf(file, [...subjects.values()]);
  const checks = [...subjects.values()].map(({ check }) => check.result());
  // A row whose id was delivered before looks delivered: only this tells of it.
  const totals = failHalted(summarise(checks), [...halted, ...reused]);
  return { sources: checks, totals, notes: [...notes, ...reused] };
}

/** One line for each table that hands ids out again. */
async function reusedIdsOf(file: SqliteFile, subjects: readonly Subject[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { source, upTo } of subjects.filter(({ source: { mode } }) => mode === 'append')) {
    const why = await findReusedIds(await createSourceReader({ file, source }), source, upTo);
    if (why !== null) found.push(`source ${source.name}: ${why}`);
  }
  return found;
}

/** What an event is called in the comparison. */
const idOf = (source: SourceConfig, eventId: string, outboxId: number): string =>
  source.mode === 'append' ? eventId : `${source.name}:${sequenceOf(outboxId)}`;

/** A file made anew under the same name of the source writes to the same topic; events with ids of their own do not tell. */
const isOfAnotherFile = ({ name, mode }: SourceConfig, eventId: string, fileId: string): boolean => {
  if (mode !== 'consume' || !eventId.startsWith(`${name}:`)) return false;
  // An application's own id may begin with the source's name, too.
  const [, madeBy] = /^([0-9a-f]{12}):\d+$/.exec(eventId.slice(name.length + 1)) ?? [];
  return madeBy !== undefined && madeBy !== fileId;
};

async function openSubject(operator: Operator, source: SourceConfig, notes: string[]): Promise<Subject> {
  const { name, startFrom, mode } = source;
  const watermark = await operator.loadWatermark(name);
  if (watermark === null) notes.push(`source ${name} was never relayed: all of its rows are pending`);
  const upTo = mode === 'append' ? (watermark?.position ?? 0n) : BigInt((watermark?.nextSequence ?? 1) - 1);
  const check = new DeliveryCheck({
    source: name,
    upTo,
    incarnations: watermark?.incarnations ?? [],
    after: mode === 'append' && typeof startFrom === 'bigint' ? startFrom - 1n : null,
    startsAtFirstSeen: mode === 'append' && startFrom === 'latest',
  });
  return { source, check, upTo };
}

async function findTopics(
  { file, config, kafka, only, topics }: VerifySqliteOptions,
  sources: readonly SourceConfig[],
  notes: string[],
): Promise<readonly string[]> {
  const wanted = [...new Set([...fixedTopics(sources), ...topics])];
  const noted = await notedTopics(createSenderStore({ file, tables: config.tables }), sources, only);
  const admin = createTopicAdmin(kafka);
  try {
    return await topicsThere(admin, wanted, noted, notes);
  } finally {
    await admin.close();
  }
}

async function readRecords(
  { kafka, onProgress }: VerifySqliteOptions,
  { topics, fileId }: { readonly topics: readonly string[]; readonly fileId: string },
  subjects: ReadonlyMap<string, Subject>,
  notes: string[],
): Promise<void> {
  if (topics.length === 0) return;
  const ends = new Map<string, { readonly done: number; readonly total: number }>();
  for await (const batch of readTopics(kafka, { topics, to: 'written', stallMsMax: STALL_MS_MAX })) {
    const { topic, partition, start, position, end } = batch;
    for (const { key, headers, offset } of batch.records) {
      const subject = subjects.get(headers.source ?? '');
      if (subject === undefined || isOfAnotherFile(subject.source, headers.id ?? '', fileId)) continue;
      const id = idOf(subject.source, headers.id ?? '', Number(headers['outbox-id']));
      subject.check.record({ topic, partition, offset, key, headers: { ...headers, id } });
    }
    const name = `${topic} ${partition}`;
    if (start > 0 && !ends.has(name))
      notes.push(`partition ${name} begins at offset ${start}: what it has dropped counts as missing`);
    ends.set(name, { done: position - start, total: end - start });
    const all = [...ends.values()];
    const sum = (of: 'done' | 'total') => all.reduce((total, each) => total + each[of], 0);
    onProgress({ what: 'records', done: sum('done'), total: sum('total') });
  }
}

async function readRows(file: SqliteFile, { source, check, upTo }: Subject): Promise<void> {
  if (source.mode === 'consume') {
    const waiting = await new ConsumeQueue({ file, source, fileId: '' }).waiting();
    for (let sequence = 1n; sequence <= upTo + BigInt(waiting); sequence += 1n) check.sourceRow(sequence, null);
    return;
  }
  const reader = await createSourceReader({ file, source });
  const highest = (await reader.highestPosition()) ?? 0n;
  for (let after = LOWEST; ; ) {
    const page = await reader.committedIn([{ from: after, to: highest }], PAGE_ROWS_MAX);
    for (const position of page) check.sourceRow(position, null);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_ROWS_MAX) return;
    after = last + 1n;
  }
}

const LOWEST = -(2n ** 63n);
