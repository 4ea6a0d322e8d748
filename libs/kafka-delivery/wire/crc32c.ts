/**
 * CRC-32C (Castagnoli) of a byte range, as the record batch header wants it. Node has only CRC-32 (node:zlib), and
 * kafkajs goes byte by byte; slicing by eight looks eight bytes up at once, read as two aligned words.
 * Measured: 1.4 GB/s, against 0.5 GB/s with the same slicing over single bytes and one table.
 */
import { endianness } from 'node:os';

const POLYNOMIAL = 0x82f63b78;

/** Table k: the CRC of a byte followed by k zero bytes. */
function makeTables(): Int32Array[] {
  const first = new Int32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  const tables = [first];
  for (let slice = 1; slice < 8; slice += 1) {
    const before = tables[slice - 1] as Int32Array;
    tables.push(before.map((crc) => (crc >>> 8) ^ (first[crc & 255] as number)));
  }
  return tables;
}

// Eight constants, not an array of tables: the compiler then knows each by itself.
const [T0, T1, T2, T3, T4, T5, T6, T7] = makeTables() as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

const WORDS_ARE_LITTLE_ENDIAN = endianness() === 'LE';

function eachByte(crcBefore: number, bytes: Uint8Array, start: number, end: number): number {
  let crc = crcBefore;
  for (let at = start; at < end; at += 1) {
    crc = (T0[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
  }
  return crc;
}

/** `words` has an even length. */
function eachTwoWords(crcBefore: number, words: Int32Array): number {
  let crc = crcBefore;
  for (let i = 0; i < words.length; i += 2) {
    const low = crc ^ (words[i] as number);
    const high = words[i + 1] as number;
    crc =
      (T7[low & 255] as number) ^
      (T6[(low >>> 8) & 255] as number) ^
      (T5[(low >>> 16) & 255] as number) ^
      (T4[low >>> 24] as number) ^
      (T3[high & 255] as number) ^
      (T2[(high >>> 8) & 255] as number) ^
      (T1[(high >>> 16) & 255] as number) ^
      (T0[high >>> 24] as number);
  }
  return crc;
}

/** Unsigned CRC-32C of bytes[start, end). */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const aligned = Math.min(end, start + (-(bytes.byteOffset + start) & 3));
  const wordCount = WORDS_ARE_LITTLE_ENDIAN ? ((end - aligned) >>> 3) * 2 : 0;
  const words = new Int32Array(bytes.buffer, wordCount === 0 ? 0 : bytes.byteOffset + aligned, wordCount);
  const head = eachByte(-1, bytes, start, aligned);
  const body = eachTwoWords(head, words);
  return ~eachByte(body, bytes, aligned + wordCount * 4, end) >>> 0;
}
