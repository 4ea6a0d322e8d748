/** Seeded chance in streams by name, so that taking one process out of a scenario leaves the others' dice as they fall. */
import { seededRandom } from '../seeded-random.ts';

export function streamOf(seed: number, name: string): () => number {
  let hash = (seed ^ 0x9e3779b9) >>> 0;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0;
  return seededRandom(hash);
}

export class Dice {
  readonly next: () => number;

  constructor(next: () => number) {
    this.next = next;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Both ends included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least);
  }

  pick<T>(things: readonly T[]): T {
    return things[Math.floor(this.next() * things.length)] as T;
  }
}
