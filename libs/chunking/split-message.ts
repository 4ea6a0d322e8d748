/** Splits a message that its topic would refuse into chunks that it takes. Pure but for the group's id. */
import { randomUUID } from 'node:crypto';
import { RelayError } from '#runtime';
import { chunkHeaders, type MessageHeaders, withoutChunkHeaders } from './chunk-headers.ts';

export interface OutgoingMessage {
  readonly key: Buffer | null;
  /** Null is a tombstone, which is never split. */
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
}

export interface SplitOptions {
  /** What one record may take in all, in bytes. Default 1,000,000, the default of librdkafka's `message.max.bytes`. */
  readonly recordBytesMax?: number;
  /** Kept free for the record's own fields and the three headers of a chunk, in bytes. Default 500. */
  readonly overheadBytes?: number;
  /** More chunks than this are refused. Default 10,000. */
  readonly chunksMax?: number;
  /** Give a message that fits the headers of a chunk, too, as the Python library does when it may split. Default false. */
  readonly always?: boolean;
  /** A new version 4 UUID in 16 bytes. For tests. */
  readonly newGroup?: () => Buffer;
}

export const RECORD_BYTES_MAX = 1_000_000;
export const RECORD_OVERHEAD_BYTES = 500;
export const CHUNKS_MAX = 10_000;

/** Two lengths of at most 5 bytes a header (Kafka's record format, varint). */
const HEADER_LENGTHS_BYTES = 10;

const newGroup = (): Buffer => Buffer.from(randomUUID().replaceAll('-', ''), 'hex');

/** What the headers take in a record, in bytes, at most. */
export function headerBytes(headers: MessageHeaders): number {
  let total = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const nameBytes = Buffer.byteLength(name) + HEADER_LENGTHS_BYTES;
    for (const each of Array.isArray(value) ? value : [value]) total += nameBytes + Buffer.byteLength(each ?? '');
  }
  return total;
}

/**
 * The message itself when it fits, otherwise its chunks in order, each with all headers of the message and its own three.
 * Chunks of a message with a key keep the key; without one they get the group's id as key, as the Python library sends
 * them: either way they go to one partition, and `createJoiner` gives the message without a key back without one.
 * The chunk headers of a message that was a chunk before are replaced.
 * Throws KAFKA_RECORD_REFUSED when key and headers leave no room, or when there would be more chunks than `chunksMax`.
 */
export function splitMessage(message: OutgoingMessage, options: SplitOptions = {}): readonly OutgoingMessage[] {
  const { recordBytesMax = RECORD_BYTES_MAX, overheadBytes = RECORD_OVERHEAD_BYTES, chunksMax = CHUNKS_MAX } = options;
  const { key, value } = message;
  const headers = withoutChunkHeaders(message.headers);
  if (value === null) return [{ key, value, headers }];
  const room = recordBytesMax - overheadBytes - headerBytes(headers) - (key?.length ?? 0);
  if (value.length <= room && !options.always) return [{ key, value, headers }];
  if (room < 1) {
    const details = { recordBytesMax, overheadBytes, headerBytes: headerBytes(headers), keyBytes: key?.length ?? 0 };
    throw new RelayError('KAFKA_RECORD_REFUSED', 'key and headers leave no room for a chunk', { details });
  }
  const count = Math.max(1, Math.ceil(value.length / room));
  if (count > chunksMax) {
    const details = { bytes: value.length, chunks: count, chunksMax };
    throw new RelayError('KAFKA_RECORD_REFUSED', 'the message would have too many chunks', { details });
  }
  const group = (options.newGroup ?? newGroup)();
  return Array.from({ length: count }, (_, id) => ({
    key: key ?? group,
    value: value.subarray(id * room, (id + 1) * room),
    headers: { ...headers, ...chunkHeaders({ group, id, count }) },
  }));
}
