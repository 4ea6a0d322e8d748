/**
 * CRC-32C (Castagnoli) of a byte range, as the record batch header wants it. Node has only CRC-32 (node:zlib), and
 * kafkajs goes byte by byte; slicing by eight looks eight bytes up at once.
 */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

function makeTable(): Int32Array {
  const table = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  for (let i = 256; i < SLICES * 256; i += 1) {
    const previous = table[i - 256] as number;
    table[i] = (previous >>> 8) ^ (table[previous & 255] as number);
  }
  return table;
}

const T = makeTable();

/** Unsigned CRC-32C of bytes[start, end). */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  let at = start;
  const sliced = end - ((end - start) % SLICES);
  while (at < sliced) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (T[1792 + (low & 255)] as number) ^
      (T[1536 + ((low >>> 8) & 255)] as number) ^
      (T[1280 + ((low >>> 16) & 255)] as number) ^
      (T[1024 + (low >>> 24)] as number) ^
      (T[768 + (bytes[at + 4] as number)] as number) ^
      (T[512 + (bytes[at + 5] as number)] as number) ^
      (T[256 + (bytes[at + 6] as number)] as number) ^
      (T[bytes[at + 7] as number] as number);
    at += SLICES;
  }
  while (at < end) {
    crc = (T[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
    at += 1;
  }
  return ~crc >>> 0;
}
