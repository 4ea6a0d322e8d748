/**
 * Record batches (magic 2) and what is in them, read with every length checked: their bytes are of whoever may write to the topic.
 * What cannot be read throws KAFKA_UNREADABLE with the offsets of the batch.
 */
import { RelayError } from '#runtime';
import { INFLATED_BYTES_MAX, inflate } from '../codecs/codecs.ts';
import { crc32c } from './crc32c.ts';
import { WireReader } from './wire-reader.ts';

export interface Batch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly baseTimestampMs: number;
  readonly maxTimestampMs: number;
  readonly producerId: number;
  readonly count: number;
  readonly body: Buffer;
}

/** Keys, values and headers are views of what was fetched: whoever keeps one keeps all of it. */
export interface WireRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/** `value` null: Kafka tells it from an empty one. */
export type HeaderVisitor = (name: Buffer, value: Buffer | null) => void;

export const ATTRIBUTE_TRANSACTIONAL = 16;
export const ATTRIBUTE_CONTROL = 32;
const ATTRIBUTE_APPEND_TIME = 8;
const BATCH_OVERHEAD = 12;
const BATCH_LENGTH_MIN = 49;
const MAGIC_OFFSET = 16;
const CRC_COVERS_FROM = 9;
/** Records and headers of one batch: each is an object here, and may be two bytes there. */
const PARTS_MAX = 2_000_000;

type Offsets = Pick<Batch, 'baseOffset' | 'lastOffset'>;

/** `nextOffset`: where reading goes on behind the batch, for whoever gives it up. */
function unreadable({ baseOffset, lastOffset }: Offsets, cause: unknown): RelayError {
  const known = cause instanceof RelayError ? cause.details : {};
  const why = cause instanceof Error ? cause.message : 'unknown';
  const details = { ...known, offset: baseOffset, nextOffset: lastOffset + 1 };
  return new RelayError('KAFKA_UNREADABLE', `offsets ${baseOffset} to ${lastOffset}: ${why}`, { cause, details });
}

/** The version of the message format, by the first batch; null where there is none. Formats 0 and 1 are those before Kafka 0.11. */
export const magicOf = (set: Buffer): number | null => (set.length > MAGIC_OFFSET ? set.readInt8(MAGIC_OFFSET) : null);

/** Null, and the reader stays, when the rest is a batch cut off by the fetch's byte limit. */
export function readBatch(reader: WireReader): Batch | null {
  const { bytes, offset: begin } = reader;
  const start = begin + BATCH_OVERHEAD;
  if (bytes.length < start) return null;
  const baseOffset = reader.int64();
  const length = reader.int32();
  if (length < BATCH_LENGTH_MIN) throw unreadable({ baseOffset, lastOffset: baseOffset }, new RangeError('no batch'));
  if (bytes.length - start < length) {
    reader.offset = begin;
    return null;
  }
  const end = start + length;
  reader.offset += 4; // partition leader epoch
  const magic = reader.int8();
  if (magic !== 2) {
    throw new RelayError('KAFKA_UNSUPPORTED', `the topic holds records in the old message format ${magic}`);
  }
  const crc = reader.int32() >>> 0;
  const attributes = reader.int16();
  const lastOffset = baseOffset + reader.int32();
  if (crc32c(bytes, start + CRC_COVERS_FROM, end) !== crc) {
    const cause = new RangeError(
      'the checksum of the batch is wrong: its bytes were damaged on a disk or on their way',
    );
    throw unreadable({ baseOffset, lastOffset: baseOffset }, cause);
  }
  const baseTimestampMs = reader.int64();
  const maxTimestampMs = reader.int64();
  const producerId = reader.int64();
  reader.offset += 6; // epoch and sequence
  const count = reader.int32();
  const body = reader.take(end - reader.offset);
  return { baseOffset, lastOffset, attributes, baseTimestampMs, maxTimestampMs, producerId, count, body };
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

function readSized(reader: WireReader): Buffer | null {
  const length = reader.varint();
  return length < 0 ? null : reader.take(length);
}

function readRecord(
  reader: WireReader,
  batch: Batch,
  onHeader: HeaderVisitor,
): { record: WireRecord; headers: number } {
  const length = reader.varint();
  const end = reader.offset + length;
  if (length < 0 || end > reader.bytes.length) throw new RangeError('a record ends outside of its batch');
  reader.offset += 1; // attributes
  const delta = readVarlong(reader);
  const offset = batch.baseOffset + reader.varint();
  const key = readSized(reader);
  const value = readSized(reader);
  const headers = reader.varint();
  for (let i = 0; i < headers; i += 1) {
    const name = readSized(reader) ?? Buffer.alloc(0);
    onHeader(name, readSized(reader));
  }
  if (reader.offset > end || offset > batch.lastOffset) throw new RangeError('a record does not end where it says');
  reader.offset = end;
  const isAppendTime = (batch.attributes & ATTRIBUTE_APPEND_TIME) !== 0;
  const timestampMs = isAppendTime ? batch.maxTimestampMs : batch.baseTimestampMs + delta;
  return { record: { offset, timestampMs, key, value }, headers };
}

/**
 * Inflates the batch and calls `onRecord` for each record, after `onHeader` for each of its headers. Answers how many bytes the
 * records have taken. Throws KAFKA_UNREADABLE; what was called before does not count then.
 */
export function eachRecord(
  batch: Batch,
  onHeader: HeaderVisitor,
  onRecord: (record: WireRecord) => void,
  bytesMax: number = INFLATED_BYTES_MAX,
): number {
  try {
    const reader = new WireReader(inflate(batch.attributes, batch.body, bytesMax));
    let parts = batch.count;
    for (let i = 0; i < batch.count; i += 1) {
      const { record, headers } = readRecord(reader, batch, onHeader);
      parts += headers;
      if (parts > PARTS_MAX) throw new RangeError(`the batch has more than ${PARTS_MAX} records and headers`);
      onRecord(record);
    }
    return reader.bytes.length;
  } catch (cause) {
    throw unreadable(batch, cause);
  }
}

/** Abort markers are control records whose key is version int16, type int16, with type 0. */
export function isAbortMarker(batch: Batch): boolean {
  let type = -1;
  eachRecord(
    batch,
    () => undefined,
    ({ key }) => {
      if (key !== null && key.length >= 4) type = key.readInt16BE(2);
    },
  );
  return type === 0;
}

/** Runs what decodes records of a partition: of what cannot be read the fault says where it is. */
export function readingAt<Result>(topic: string, partition: number, decode: () => Result): Result {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof RelayError) || (cause.code !== 'KAFKA_UNREADABLE' && cause.code !== 'KAFKA_UNSUPPORTED'))
      throw cause;
    const details = { ...cause.details, topic, partition };
    throw new RelayError(cause.code, `topic ${topic}, partition ${partition}: ${cause.message}`, { cause, details });
  }
}

/** A fetch that gave bytes and not one whole batch: brokers give at least the first one whole. */
export function cutOffAt(offset: number): RelayError {
  return unreadable({ baseOffset: offset, lastOffset: offset }, new RangeError('the broker gave no whole batch'));
}
