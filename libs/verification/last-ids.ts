/**
 * The last outbox id of each key, in an open-addressing table of typed arrays: about 32 bytes a key, where a Map of strings
 * takes a hundred and more. Keys are known by a 64-bit hash only: among ten million keys two share one with a chance of
 * three in a million.
 */

const START_SLOTS = 1024;
const LOAD_MAX = 0.7;

/** Two 32-bit halves of a hash over a seed and the key's bytes. */
interface Hash {
  high: number;
  low: number;
}

export class LastIds {
  #high = new Uint32Array(START_SLOTS);
  #low = new Uint32Array(START_SLOTS);
  /** 0 marks a free slot: outbox ids start at 1. */
  #ids = new Float64Array(START_SLOTS);
  #count = 0;
  readonly #hash: Hash = { high: 0, low: 0 };

  /** Keys known. */
  get size(): number {
    return this.#count;
  }

  /**
   * Remembers `id` for the key in the place `seed` (a partition) unless a higher one is there, and returns what was there
   * before: 0 for a key not seen yet.
   */
  raise(seed: number, key: Uint8Array, id: number): number {
    hashInto(this.#hash, seed, key);
    const slot = this.#slotOf(this.#hash.high, this.#hash.low);
    const before = this.#ids[slot] as number;
    if (id > before) this.#ids[slot] = id;
    if (before !== 0) return before;
    this.#high[slot] = this.#hash.high;
    this.#low[slot] = this.#hash.low;
    this.#count += 1;
    if (this.#count > this.#ids.length * LOAD_MAX) this.#grow();
    return 0;
  }

  #slotOf(high: number, low: number): number {
    const mask = this.#ids.length - 1;
    let slot = low & mask;
    while (this.#ids[slot] !== 0 && (this.#low[slot] !== low || this.#high[slot] !== high)) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [high, low, ids] = [this.#high, this.#low, this.#ids];
    this.#high = new Uint32Array(ids.length * 2);
    this.#low = new Uint32Array(ids.length * 2);
    this.#ids = new Float64Array(ids.length * 2);
    for (let old = 0; old < ids.length; old += 1) {
      if (ids[old] === 0) continue;
      const slot = this.#slotOf(high[old] as number, low[old] as number);
      this.#high[slot] = high[old] as number;
      this.#low[slot] = low[old] as number;
      this.#ids[slot] = ids[old] as number;
    }
  }
}

/** Two multiplicative lanes that stir each other at the end. */
function hashInto(hash: Hash, seed: number, key: Uint8Array): void {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ Math.imul(seed, 0x9e3779b1);
  for (let at = 0; at < key.length; at += 1) {
    const byte = key[at] as number;
    a = Math.imul(a ^ byte, 2_654_435_761);
    b = Math.imul(b ^ byte, 1_597_334_677);
    // A byte's effect must reach the low bits too, since multiplication only carries it upwards.
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  hash.high = a >>> 0;
  hash.low = b >>> 0;
}
