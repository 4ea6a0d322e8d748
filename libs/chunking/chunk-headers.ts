/**
 * The three headers of a chunk, byte for byte those of retriable-kafka-client 0.7.0 (PyPI): the group is the 16 raw bytes
 * of a version 4 UUID, numbers are 8 bytes, unsigned, big-endian. Chunk ids start at 0.
 */

export const CHUNK_GROUP_HEADER = 'retriable_kafka_chunk_group';
export const CHUNK_ID_HEADER = 'retriable_kafka_chunk_id';
export const CHUNK_COUNT_HEADER = 'retriable_kafka_number_of_chunks';

const CHUNK_HEADERS: readonly string[] = [CHUNK_GROUP_HEADER, CHUNK_ID_HEADER, CHUNK_COUNT_HEADER];
const GROUP_BYTES = 16;
const NUMBER_BYTES = 8;

/**
 * Headers as kafkajs takes and gives them; a name that occurs several times has an array. Of strangers' records a value may be
 * null, as kafkajs has it, too, where the header has none.
 */
export type MessageHeaders = Record<string, Buffer | string | (Buffer | string)[] | undefined>;

/** What a chunk says of itself. */
export interface ChunkPlace {
  /** 16 bytes. */
  readonly group: Buffer;
  readonly id: number;
  readonly count: number;
}

/** Why the headers of a record make no chunk of it. */
export type HeaderFault = 'missing-header' | 'malformed-header' | 'chunk-id-out-of-range';

/** A number as the wire has it. Throws RangeError for what is not an integer in [0, 2^53). */
export function encodeNumber(value: number): Buffer {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no unsigned integer`);
  const bytes = Buffer.alloc(NUMBER_BYTES);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** The number in 8 bytes; null when they are not 8, or when it is above 2^53. */
export function decodeNumber(bytes: Buffer): number | null {
  if (bytes.length !== NUMBER_BYTES) return null;
  const value = Number(bytes.readBigUInt64BE());
  return Number.isSafeInteger(value) ? value : null;
}

/** The values of a header that has any. */
export function headerValues(headers: MessageHeaders, name: string): (Buffer | string)[] {
  const value: unknown = Object.hasOwn(headers, name) ? headers[name] : undefined;
  const values = Array.isArray(value) ? value : [value];
  return values.filter((each) => each !== undefined && each !== null);
}

/** The one value of a header: undefined when absent or without a value, null when it has several that differ. */
export function oneHeader(headers: MessageHeaders, name: string): Buffer | null | undefined {
  const [first, ...others] = headerValues(headers, name).map((each) => Buffer.from(each));
  if (first === undefined) return undefined;
  return others.every((other) => other.equals(first)) ? first : null;
}

export function chunkHeaders({ group, id, count }: ChunkPlace): MessageHeaders {
  return {
    [CHUNK_GROUP_HEADER]: group,
    [CHUNK_COUNT_HEADER]: encodeNumber(count),
    [CHUNK_ID_HEADER]: encodeNumber(id),
  };
}

/** The place of a chunk, null for a record that is no chunk at all, or what is wrong with its headers. */
export function readChunkPlace(headers: MessageHeaders): ChunkPlace | HeaderFault | null {
  const [group, idBytes, countBytes] = CHUNK_HEADERS.map((name) => oneHeader(headers, name));
  const values = [group, idBytes, countBytes];
  if (values.every((value) => value === undefined)) return null;
  if (values.some((value) => value === undefined)) return 'missing-header';
  if (!group || !idBytes || !countBytes || group.length !== GROUP_BYTES) return 'malformed-header';
  const id = decodeNumber(idBytes);
  const count = decodeNumber(countBytes);
  if (id === null || count === null || count === 0) return 'malformed-header';
  return id < count ? { group, id, count } : 'chunk-id-out-of-range';
}

/** The headers that the sender gave the message: without those of the chunk. */
export function withoutChunkHeaders(headers: MessageHeaders): MessageHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CHUNK_HEADERS.includes(name)));
}
