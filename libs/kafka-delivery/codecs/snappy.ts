/**
 * Snappy as Kafka has it, in two forms: Java clients frame it by snappy-java (xerial): a header, then blocks with their size in
 * front; librdkafka, Go and others may write one block without a frame. Blocks are hysnappy's (WebAssembly, no native code).
 */
import { snappyCompressor, snappyUncompressor } from 'hysnappy';

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** Magic, version, oldest version that can read it. */
const XERIAL_HEADER_BYTES = 16;
const XERIAL_VERSION = 1;
const BLOCK_BYTES = 32 * 1024;
/** Memory of WebAssembly grows and never shrinks: above this it is made anew afterwards. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;
const LENGTH_BYTES_MAX = 5;

let uncompress: ReturnType<typeof snappyUncompressor> | null = null;
let compress: ReturnType<typeof snappyCompressor> | null = null;

/** What the block says of its content. */
function contentBytes(block: Buffer): number {
  let length = 0;
  for (let at = 0; at < LENGTH_BYTES_MAX; at += 1) {
    const byte = block[at];
    if (byte === undefined) break;
    length += (byte & 127) * 2 ** (7 * at);
    if (byte < 128) return length;
  }
  throw new RangeError('a snappy block without a length');
}

function readBlock(block: Buffer, bytesMax: number): Uint8Array {
  const length = contentBytes(block);
  if (length > bytesMax) throw new RangeError(`more than ${bytesMax} bytes`);
  uncompress ??= snappyUncompressor();
  const content = uncompress(block, length);
  if (block.length + length > KEPT_BYTES_MAX) uncompress = null;
  return content;
}

/** Throws RangeError, or an error of the library, for bytes that are no snappy or whose content is larger than `bytesMax`. */
export function readSnappy(bytes: Buffer, bytesMax: number): Buffer {
  const isFramed = bytes.length >= XERIAL_HEADER_BYTES && bytes.subarray(0, 8).equals(XERIAL_MAGIC);
  if (!isFramed) return Buffer.from(readBlock(bytes, bytesMax));
  const parts: Uint8Array[] = [];
  let left = bytesMax;
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const size = bytes.readInt32BE(at);
    at += 4;
    if (size < 0 || at + size > bytes.length) throw new RangeError('a snappy block ends in the middle');
    const part = readBlock(bytes.subarray(at, at + size), left);
    at += size;
    left -= part.length;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** In the frame of snappy-java, which brokers and all clients read. */
export function writeSnappy(bytes: Buffer): Buffer {
  compress ??= snappyCompressor();
  const header = Buffer.alloc(XERIAL_HEADER_BYTES);
  XERIAL_MAGIC.copy(header);
  header.writeInt32BE(XERIAL_VERSION, 8);
  header.writeInt32BE(XERIAL_VERSION, 12);
  const parts: Uint8Array[] = [header];
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    const block = compress(bytes.subarray(from, from + BLOCK_BYTES));
    const size = Buffer.alloc(4);
    size.writeInt32BE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat(parts);
}
