/** Chance that can be run again: mulberry32, a small generator with a 32-bit state. */

/** Uniform in [0, 1), the same sequence for the same seed. Print the seed when a test that used it fails. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: `KRS_TEST_SEED` when a failure is run again, otherwise by chance. */
export const testSeed = (): number => Number(process.env.KRS_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
