/**
 * Blocks of LZ4, which no kept library without native code reads and writes as frames. Format: lz4_Block_format.md of the
 * LZ4 project. What comes from a broker may be anything: every copy is checked against both buffers.
 */

const MATCH_MIN = 4;
/** The last match begins so far before the end of a block at least, and the last five bytes are literals. */
const MATCH_START_LIMIT = 12;
const LAST_LITERALS = 5;
const HASH_BITS = 14;
const OFFSET_MAX = 65_535;
/** A length of 15 in a token, and 255 in a byte behind it, go on in the next byte. */
const TOKEN_LENGTH_MAX = 15;

/** Grows as blocks are written to it, up to its bound: a frame does not have to say how long its content is. */
export class BoundedOutput {
  bytes: Buffer;
  length = 0;
  readonly #bytesMax: number;

  constructor(bytesExpected: number, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.bytes = Buffer.allocUnsafe(Math.min(bytesExpected, bytesMax));
  }

  /** Throws RangeError beyond the bound. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed > this.#bytesMax) throw new RangeError(`more than ${this.#bytesMax} bytes`);
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.#bytesMax, Math.max(needed, this.bytes.length * 2)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  append(from: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    from.copy(this.bytes, this.length, start, end);
    this.length += end - start;
  }

  written(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

/** Copies what was written before; where source and target overlap, the source repeats itself. */
function repeat(output: BoundedOutput, distance: number, count: number): void {
  output.reserve(count);
  const { bytes, length } = output;
  const from = length - distance;
  if (distance >= count) bytes.copyWithin(length, from, from + count);
  else if (distance === 1) bytes.fill(bytes[from] as number, length, length + count);
  else for (let i = 0; i < count; i += 1) bytes[length + i] = bytes[from + i] as number;
  output.length = length + count;
}

/** Writes the block to the output, from whose earlier bytes it may copy. Throws RangeError for bytes that are no block. */
export function readLz4Block(block: Buffer, output: BoundedOutput): void {
  let at = 0;
  const byte = (): number => {
    const value = block[at];
    if (value === undefined) throw new RangeError('an LZ4 block ends in the middle');
    at += 1;
    return value;
  };
  const lengthFrom = (start: number): number => {
    let length = start;
    if (start < TOKEN_LENGTH_MAX) return length;
    for (let more = 255; more === 255; length += more) more = byte();
    return length;
  };
  while (at < block.length) {
    const token = byte();
    const literals = lengthFrom(token >>> 4);
    if (at + literals > block.length) throw new RangeError('an LZ4 block ends in the middle');
    output.append(block, at, at + literals);
    at += literals;
    if (at === block.length) return;
    const distance = byte() | (byte() << 8);
    if (distance === 0 || distance > output.length)
      throw new RangeError('an LZ4 block copies from before its beginning');
    repeat(output, distance, lengthFrom(token & 15) + MATCH_MIN);
  }
  throw new RangeError('an LZ4 block ends in the middle');
}

function putLength(target: Buffer, start: number, length: number): number {
  let at = start;
  let rest = length - TOKEN_LENGTH_MAX;
  for (; rest >= 255; rest -= 255) target[at++] = 255;
  target[at++] = rest;
  return at;
}

/** Literals [from, to) and the match behind them; `distance` 0: the last literals. */
function putSequence(target: Buffer, start: number, source: Buffer, sequence: Sequence): number {
  const { from, to, distance, matched } = sequence;
  const literals = to - from;
  const extra = matched - MATCH_MIN;
  let at = start + 1;
  const low = distance === 0 ? 0 : Math.min(extra, TOKEN_LENGTH_MAX);
  target[start] = (Math.min(literals, TOKEN_LENGTH_MAX) << 4) | low;
  if (literals >= TOKEN_LENGTH_MAX) at = putLength(target, at, literals);
  source.copy(target, at, from, to);
  at += literals;
  if (distance === 0) return at;
  target[at++] = distance & 255;
  target[at++] = distance >>> 8;
  return extra >= TOKEN_LENGTH_MAX ? putLength(target, at, extra) : at;
}

interface Sequence {
  readonly from: number;
  readonly to: number;
  readonly distance: number;
  readonly matched: number;
}

/** One block, by the last place at which four bytes were seen. Null where it would not be smaller than its source. */
export function writeLz4Block(source: Buffer): Buffer | null {
  const target = Buffer.allocUnsafe(source.length + Math.ceil(source.length / 255) + 16);
  const places = new Int32Array(1 << HASH_BITS).fill(-1);
  const matchEnd = source.length - LAST_LITERALS;
  let at = 0;
  let anchor = 0;
  let from = 0;
  while (from < source.length - MATCH_START_LIMIT) {
    const word = source.readUInt32LE(from);
    const slot = Math.imul(word, 2_654_435_761) >>> (32 - HASH_BITS);
    const seen = places[slot] as number;
    places[slot] = from;
    if (seen < 0 || from - seen > OFFSET_MAX || source.readUInt32LE(seen) !== word) {
      // The longer nothing is found, the larger the steps: what cannot be compressed is passed quickly.
      from += 1 + ((from - anchor) >>> 6);
      continue;
    }
    let matched = MATCH_MIN;
    while (from + matched < matchEnd && source[seen + matched] === source[from + matched]) matched += 1;
    at = putSequence(target, at, source, { from: anchor, to: from, distance: from - seen, matched });
    from += matched;
    anchor = from;
  }
  at = putSequence(target, at, source, { from: anchor, to: source.length, distance: 0, matched: MATCH_MIN });
  return at < source.length ? target.subarray(0, at) : null;
}
