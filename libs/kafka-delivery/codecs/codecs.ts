/** The four codecs of record batches, both ways. What is read is bounded: a few bytes may stand for gigabytes. */
import { promisify } from 'node:util';
import { gunzipSync, gzip, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { RelayError } from '#runtime';
import { readLz4, writeLz4 } from './lz4.ts';
import { readSnappy, writeSnappy } from './snappy.ts';

export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
/** In the order of their numbers in the attributes of a batch. */
export type Compression = (typeof COMPRESSIONS)[number];

/** Of one batch. Producers bound theirs by a megabyte or a few, before compression. */
export const INFLATED_BYTES_MAX = 128 * 1024 * 1024;
const CODEC_MASK = 7;

type Reader = (bytes: Buffer, bytesMax: number) => Buffer;

const READERS: Readonly<Record<Exclude<Compression, 'none'>, Reader>> = {
  gzip: (bytes, maxOutputLength) => gunzipSync(bytes, { maxOutputLength }),
  snappy: readSnappy,
  lz4: readLz4,
  zstd: (bytes, maxOutputLength) => zstdDecompressSync(bytes, { maxOutputLength }),
};

const WRITERS: Readonly<Record<Exclude<Compression, 'none'>, (bytes: Buffer) => Buffer | Promise<Buffer>>> = {
  gzip: promisify(gzip) as (bytes: Buffer) => Promise<Buffer>,
  snappy: writeSnappy,
  lz4: writeLz4,
  zstd: promisify(zstdCompress) as (bytes: Buffer) => Promise<Buffer>,
};

/**
 * The records of a batch, by its attributes. Throws KAFKA_UNREADABLE for a codec that nobody knows, for bytes that are none of
 * the codec, and for content larger than `bytesMax`.
 */
export function inflate(attributes: number, body: Buffer, bytesMax: number = INFLATED_BYTES_MAX): Buffer {
  const codec = COMPRESSIONS[attributes & CODEC_MASK];
  if (codec === 'none') return body;
  if (codec === undefined) {
    const text = `the batch is compressed by a codec of number ${attributes & CODEC_MASK}, which is not known here`;
    throw new RelayError('KAFKA_UNREADABLE', text);
  }
  try {
    return READERS[codec](body, bytesMax);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown';
    const details = { codec, bytes: body.length, bytesMax };
    throw new RelayError('KAFKA_UNREADABLE', `the batch cannot be decompressed by ${codec}: ${why}`, {
      cause,
      details,
    });
  }
}

export const codecNumber = (compression: Compression): number => COMPRESSIONS.indexOf(compression);

export async function deflate(compression: Exclude<Compression, 'none'>, records: Buffer): Promise<Buffer> {
  return await WRITERS[compression](records);
}
