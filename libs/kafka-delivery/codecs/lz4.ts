/**
 * LZ4 as Kafka has it: frames (lz4_Frame_format.md). Checksums of frames are not looked at when reading: the batch has its own
 * over the same bytes, and clients before KIP-57 have computed the one of the header in another way.
 */
import { BoundedOutput, readLz4Block, writeLz4Block } from './lz4-block.ts';
import { xxh32 } from './xxh32.ts';

const MAGIC = 0x184d2204;
const SKIPPABLE = 0x184d2a5;
const VERSION = 1;
const FLAG_DICTIONARY = 1;
const FLAG_CONTENT_CHECKSUM = 4;
const FLAG_CONTENT_SIZE = 8;
const FLAG_BLOCK_CHECKSUM = 16;
const FLAG_INDEPENDENT = 32;
const STORED = 0x80000000;
/** Number 4 of the format, which Kafka's own clients write. */
const BLOCK_BYTES = 64 * 1024;
const BLOCK_SIZE_CODE = 4;
const CHECKSUM_BYTES = 4;

class FrameReader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get isDone(): boolean {
    return this.at >= this.bytes.length;
  }

  uint32(): number {
    const value = this.bytes.readUInt32LE(this.at);
    this.at += 4;
    return value;
  }

  byte(): number {
    const value = this.bytes.readUInt8(this.at);
    this.at += 1;
    return value;
  }

  skip(count: number): void {
    if (this.at + count > this.bytes.length) throw new RangeError('an LZ4 frame ends in the middle');
    this.at += count;
  }

  take(count: number): Buffer {
    this.skip(count);
    return this.bytes.subarray(this.at - count, this.at);
  }
}

function readFrame(reader: FrameReader, output: BoundedOutput): void {
  const flags = reader.byte();
  if (flags >>> 6 !== VERSION) throw new RangeError('an LZ4 frame of another version');
  if (flags & FLAG_DICTIONARY) throw new RangeError('an LZ4 frame that needs a dictionary');
  reader.byte(); // largest size of a block: ours is the bound of the whole
  if (flags & FLAG_CONTENT_SIZE) reader.skip(8);
  reader.byte(); // checksum of the header
  for (let size = reader.uint32(); size !== 0; size = reader.uint32()) {
    const block = reader.take(size & ~STORED);
    if (size & STORED) output.append(block, 0, block.length);
    else readLz4Block(block, output);
    if (flags & FLAG_BLOCK_CHECKSUM) reader.skip(CHECKSUM_BYTES);
  }
  if (flags & FLAG_CONTENT_CHECKSUM) reader.skip(CHECKSUM_BYTES);
}

/** Throws RangeError for bytes that are no frame, or whose content is larger than `bytesMax`. */
export function readLz4(bytes: Buffer, bytesMax: number): Buffer {
  const reader = new FrameReader(bytes);
  const output = new BoundedOutput(bytes.length * 4, bytesMax);
  if (reader.isDone) throw new RangeError('no LZ4 frame');
  while (!reader.isDone) {
    const magic = reader.uint32();
    if (magic >>> 4 === SKIPPABLE) reader.skip(reader.uint32());
    else if (magic === MAGIC) readFrame(reader, output);
    else throw new RangeError('no LZ4 frame');
  }
  return output.written();
}

/** One frame of independent blocks. */
export function writeLz4(bytes: Buffer): Buffer {
  const header = Buffer.alloc(7);
  header.writeUInt32LE(MAGIC, 0);
  header[4] = (VERSION << 6) | FLAG_INDEPENDENT;
  header[5] = BLOCK_SIZE_CODE << 4;
  header[6] = (xxh32(header.subarray(4, 6)) >>> 8) & 255;
  const parts: Buffer[] = [header];
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    const source = bytes.subarray(from, from + BLOCK_BYTES);
    const block = writeLz4Block(source);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(block === null ? (source.length | STORED) >>> 0 : block.length);
    parts.push(size, block ?? source);
  }
  parts.push(Buffer.alloc(4));
  return Buffer.concat(parts);
}
