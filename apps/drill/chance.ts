/** The drill's choices, by seed: the same seed picks the same faults, victims and durations. */
import type { Random } from '#runtime';

export interface Chance {
  readonly random: Random;
  /** Both ends included. */
  integer(min: number, max: number): number;
  /** True with this probability. */
  happens(share: number): boolean;
  pick<T>(items: readonly T[]): T;
  shuffle<T>(items: readonly T[]): T[];
}

export function createChance(random: Random): Chance {
  const integer = (min: number, max: number) => min + Math.floor(random() * (max - min + 1));
  return {
    random,
    integer,
    happens: (share) => random() < share,
    pick: (items) => {
      if (items.length === 0) throw new Error('nothing to pick from');
      return items[integer(0, items.length - 1)] as (typeof items)[number];
    },
    shuffle: (items) =>
      items
        .map((item) => ({ item, at: random() }))
        .sort((a, b) => a.at - b.at)
        .map(({ item }) => item),
  };
}
