/** The order of the faults: a bag of all, each as often as its weight, shuffled by the seed, and filled again when it is empty. */
import type { Chance } from './chance.ts';
import type { Fault } from './fault.ts';

export class FaultBag {
  readonly #faults: readonly Fault[];
  readonly #chance: Chance;
  #bag: Fault[] = [];

  constructor(faults: readonly Fault[], chance: Chance) {
    this.#faults = faults;
    this.#chance = chance;
  }

  /** One fault, or two that hit different things when there is such a pair. */
  next(two: boolean): readonly Fault[] {
    const first = this.#draw();
    if (!two) return [first];
    const fits = this.#bag.findIndex(({ targets }) => !targets.some((target) => first.targets.includes(target)));
    const [second] = fits < 0 ? [] : this.#bag.splice(fits, 1);
    return second === undefined ? [first] : [first, second];
  }

  #draw(): Fault {
    if (this.#bag.length === 0) {
      this.#bag = this.#chance.shuffle(this.#faults.flatMap((fault) => Array<Fault>(fault.weight ?? 1).fill(fault)));
    }
    return this.#bag.shift() as Fault;
  }
}
