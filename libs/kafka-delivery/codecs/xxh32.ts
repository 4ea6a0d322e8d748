/** XXH32 without a seed, of fewer than 16 bytes: the header of an LZ4 frame has two. Format: xxhash_spec.md. */

const [PRIME_1, PRIME_2, PRIME_3, PRIME_4, PRIME_5] = [
  2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263, 374_761_393,
] as const;

const rotated = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

/** Unsigned. */
export function xxh32(bytes: Buffer): number {
  let hash = (PRIME_5 + bytes.length) | 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = Math.imul(rotated(hash + Math.imul(bytes.readUInt32LE(at), PRIME_3), 17), PRIME_4);
  }
  for (; at < bytes.length; at += 1) {
    hash = Math.imul(rotated(hash + Math.imul(bytes[at] as number, PRIME_5), 11), PRIME_1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
