/**
 * Decodes the record sets of a fetch: every batch is reported with its last offset, also those without
 * a visible record (control batches, aborted data, compacted ones), so that a reader's position always moves past them.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { RelayError } from '#runtime';
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
const BATCH_OVERHEAD = 12;
const COMPRESSION_MASK = 7;
const ATTRIBUTE_TRANSACTIONAL = 16;
const ATTRIBUTE_CONTROL = 32;

interface Batch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly baseTimestampMs: number;
  readonly producerId: number;
  readonly count: number;
  readonly body: Buffer;
}

/** Null when the rest is a batch cut off by the fetch's byte limit. */
function readBatch(reader: WireReader): Batch | null {
  const { bytes } = reader;
  if (bytes.length - reader.offset < BATCH_OVERHEAD) return null;
  const baseOffset = reader.int64();
  const length = reader.int32();
  if (bytes.length - reader.offset < length) return null;
  const end = reader.offset + length;
  reader.offset += 4; // partition leader epoch
  const magic = reader.int8();
  if (magic !== 2) {
    throw new RelayError('KAFKA_UNSUPPORTED', `the topic holds records in the old message format ${magic}`);
  }
  reader.offset += 4; // CRC: TCP and the broker have checked it
  const attributes = reader.int16();
  const lastOffset = baseOffset + reader.int32();
  const baseTimestampMs = reader.int64();
  reader.offset += 8; // max timestamp
  const producerId = reader.int64();
  reader.offset += 6; // epoch and sequence
  const count = reader.int32();
  const body = reader.take(end - reader.offset);
  return { baseOffset, lastOffset, attributes, baseTimestampMs, producerId, count, body };
}

function inflate(batch: Batch): Buffer {
  const codec = batch.attributes & COMPRESSION_MASK;
  if (codec === 0) return batch.body;
  if (codec === 1) return gunzipSync(batch.body);
  if (codec === 4) return zstdDecompressSync(batch.body);
  const name = codec === 2 ? 'snappy' : codec === 3 ? 'lz4' : String(codec);
  throw new RelayError('KAFKA_UNSUPPORTED', `records compressed with ${name} cannot be read here`);
}

/** Varlong timestamp delta: read as a number, exact for anything a clock says. */
function readVarlong(reader: WireReader): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = reader.bytes[reader.offset++];
    if (byte === undefined || scale > 2 ** 63) throw new RangeError('malformed varlong in a record');
    value += (byte & 127) * scale;
    if (byte < 128) break;
    scale *= 128;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function readRecord(reader: WireReader, batch: Batch, withValues: boolean): FetchedRecord {
  const end = reader.varint() + reader.offset;
  reader.offset += 1; // attributes
  const timestampMs = batch.baseTimestampMs + readVarlong(reader);
  const offset = batch.baseOffset + reader.varint();
  const keyLength = reader.varint();
  const key = keyLength < 0 ? null : reader.take(keyLength);
  const valueLength = reader.varint();
  const value = valueLength < 0 ? null : reader.take(valueLength);
  const headers: Record<string, string> = {};
  let rawHeaders: Record<string, Buffer | Buffer[]> | null = null;
  const count = reader.varint();
  for (let i = 0; i < count; i += 1) {
    const name = reader.take(reader.varint()).toString('utf8');
    const length = reader.varint();
    const bytes = length < 0 ? EMPTY : reader.take(length);
    headers[name] = bytes.toString('utf8');
    if (withValues || name.startsWith(BINARY_PREFIX)) {
      rawHeaders ??= {};
      const before = rawHeaders[name];
      rawHeaders[name] = before === undefined ? bytes : [...(Array.isArray(before) ? before : [before]), bytes];
    }
  }
  reader.offset = end;
  const valueBytes = value === null ? null : value.length;
  return { offset, timestampMs, key, headers, rawHeaders, valueBytes, value: withValues ? value : null };
}

/** Abort markers are control records whose key is version int16, type int16, with type 0. */
function isAbortMarker(batch: Batch): boolean {
  const reader = new WireReader(batch.body);
  reader.varint();
  reader.offset += 1;
  readVarlong(reader);
  reader.varint();
  reader.varint();
  reader.int16();
  return reader.int16() === 0;
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
    const body = new WireReader(inflate(batch));
    for (let i = 0; i < batch.count; i += 1) {
      const record = readRecord(body, batch, withValues);
      if (record.offset >= position) records.push(record);
    }
  }
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
    const body = new WireReader(inflate(batch));
    for (let i = 0; i < batch.count; i += 1) {
      const { timestampMs, headers } = readRecord(body, batch, false);
      records.push({ timestampMs, headers });
    }
    open.set(producerId, records);
  }
  return nextOffset;
}
