/**
 * Decodes the record sets of a fetch: every batch is reported with its last offset, also those without
 * a visible record (control batches, aborted data, compacted ones), so that a reader's position always moves past them.
 * What cannot be read throws KAFKA_UNREADABLE.
 */
import {
  ATTRIBUTE_CONTROL,
  ATTRIBUTE_TRANSACTIONAL,
  type Batch,
  cutOffAt,
  eachRecord,
  isAbortMarker,
  readBatch,
} from './batches.ts';
import { putHeader, putOwn } from './put-header.ts';
import { WireReader } from './wire-reader.ts';

export interface FetchedRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** As bytes: those of chunks and retries, or all of them where values were asked for; null when there are none such. */
  readonly rawHeaders: Readonly<Record<string, Buffer | Buffer[]>> | null;
  readonly valueBytes: number | null;
  /** Null too when values were not asked for. */
  readonly value: Buffer | null;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface FetchedSet {
  readonly records: FetchedRecord[];
  /** Where to fetch next; equals `position` when no whole batch was there. */
  readonly nextOffset: number;
}

/** Headers of retriable-kafka-client, whose values are numbers and ids in bytes. */
const BINARY_PREFIX = 'retriable_kafka_';
const EMPTY = Buffer.alloc(0);

type RawHeaders = Record<string, Buffer | Buffer[]>;

/** Collects the headers of one record after the other. */
class Headers {
  readonly #isRaw: (name: string) => boolean;
  #texts: Record<string, string> = {};
  #raw: RawHeaders | null = null;

  constructor(withValues: boolean) {
    this.#isRaw = (name) => withValues || name.startsWith(BINARY_PREFIX);
  }

  add(nameBytes: Buffer, value: Buffer | null): void {
    const name = nameBytes.toString('utf8');
    const bytes = value ?? EMPTY;
    putOwn(this.#texts, name, bytes.toString('utf8'));
    if (!this.#isRaw(name)) return;
    this.#raw ??= {};
    putHeader(this.#raw, name, bytes);
  }

  /** Those of the record that has just been read; the next begins anew. */
  take(): Pick<FetchedRecord, 'headers' | 'rawHeaders'> {
    const taken = { headers: this.#texts, rawHeaders: this.#raw };
    this.#texts = {};
    this.#raw = null;
    return taken;
  }
}

/** Throws KAFKA_UNREADABLE. */
function recordsOf(batch: Batch, withValues: boolean): FetchedRecord[] {
  const headers = new Headers(withValues);
  const records: FetchedRecord[] = [];
  eachRecord(
    batch,
    (name, value) => headers.add(name, value),
    ({ offset, timestampMs, key, value }) => {
      const valueBytes = value === null ? null : value.length;
      records.push({ offset, timestampMs, key, ...headers.take(), valueBytes, value: withValues ? value : null });
    },
  );
  return records;
}

/**
 * Records of a fetched set at or after `position`, without control records and without those of aborted transactions
 * (`aborted` as the broker listed them for this fetch).
 */
export function readRecordBatches(
  set: Buffer,
  position: number,
  aborted: readonly AbortedTransaction[],
  withValues: boolean,
): FetchedSet {
  const reader = new WireReader(set);
  const waiting = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const abortedProducers = new Set<number>();
  const records: FetchedRecord[] = [];
  let nextOffset = position;
  for (let batch = readBatch(reader); batch !== null; batch = readBatch(reader)) {
    nextOffset = Math.max(nextOffset, batch.lastOffset + 1);
    while (waiting[0] && waiting[0].firstOffset <= batch.lastOffset) {
      abortedProducers.add((waiting.shift() as AbortedTransaction).producerId);
    }
    if (batch.attributes & ATTRIBUTE_CONTROL) {
      if (isAbortMarker(batch)) abortedProducers.delete(batch.producerId);
      continue;
    }
    if (batch.attributes & ATTRIBUTE_TRANSACTIONAL && abortedProducers.has(batch.producerId)) continue;
    if (batch.lastOffset < position) continue;
    for (const record of recordsOf(batch, withValues)) if (record.offset >= position) records.push(record);
  }
  if (nextOffset === position && reader.offset === 0 && set.length > 0) throw cutOffAt(position);
  return { records, nextOffset };
}

/** A record whose fate is known or not yet. */
export interface TracedRecord {
  readonly timestampMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a trace has come upon so far in one partition. */
export interface Trace {
  /** By producer: records whose end is still to be read. */
  readonly open: Map<number, TracedRecord[]>;
  readonly onEnd: (records: readonly TracedRecord[], committed: boolean, timestampMs: number) => void;
}

/**
 * Follows transactions through a set fetched read_uncommitted, by the ends that are written behind their records: whatever
 * others have open does not matter. `wanted` null: of every producer. Answers where to fetch next.
 */
export function traceTransactions(
  set: Buffer,
  position: number,
  wanted: ReadonlySet<number> | null,
  { open, onEnd }: Trace,
): number {
  const reader = new WireReader(set);
  let nextOffset = position;
  for (let batch = readBatch(reader); batch !== null; batch = readBatch(reader)) {
    nextOffset = Math.max(nextOffset, batch.lastOffset + 1);
    const { producerId, attributes } = batch;
    if (batch.lastOffset < position || !(attributes & ATTRIBUTE_TRANSACTIONAL)) continue;
    if (wanted !== null && !wanted.has(producerId)) continue;
    const records = open.get(producerId) ?? [];
    if (attributes & ATTRIBUTE_CONTROL) {
      open.delete(producerId);
      onEnd(records, !isAbortMarker(batch), batch.baseTimestampMs);
      continue;
    }
    for (const { timestampMs, headers } of recordsOf(batch, false)) records.push({ timestampMs, headers });
    open.set(producerId, records);
  }
  return nextOffset;
}
