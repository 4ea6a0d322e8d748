/** What comes after what: rounds on the plain stage, and between them one on another stage, each in its turn, as the seed says. */
import type { Chance } from './chance.ts';
import type { Fault } from './fault.ts';
import { FaultBag } from './fault-bag.ts';
import type { StageName } from './stages/stage.ts';

export interface RoundPlan {
  readonly stage: StageName;
  readonly bag: FaultBag;
}

const OTHER_STAGES = [
  'brokers',
  'full-disk',
  'clock',
  'short-memory',
  'crowd',
  'login',
  'patient',
  'short-requests',
] as const;

const stageOf = (fault: Fault): StageName => fault.stage ?? 'plain';

export class Programme {
  readonly #chance: Chance;
  readonly #plain: RoundPlan | null;
  readonly #others: readonly RoundPlan[];
  #queue: RoundPlan[] = [];

  constructor(faults: readonly Fault[], chance: Chance) {
    this.#chance = chance;
    const on = (stage: StageName): readonly Fault[] => faults.filter((fault) => stageOf(fault) === stage);
    const planOf = (stage: StageName, some: readonly Fault[]): RoundPlan[] =>
      some.length === 0 ? [] : [{ stage, bag: new FaultBag(some, chance) }];
    this.#plain = planOf('plain', on('plain'))[0] ?? null;
    this.#others = [
      ...OTHER_STAGES.flatMap((stage) => planOf(stage, on(stage))),
      // What such a fault leaves behind is nobody else's to meet.
      ...on('alone').flatMap((fault) => planOf('alone', [fault])),
    ];
  }

  next(): RoundPlan {
    if (this.#queue.length === 0) {
      const others = this.#chance.shuffle(this.#others);
      const plain = this.#plain === null ? [] : [this.#plain];
      this.#queue = others.length === 0 ? plain : others.flatMap((other) => [...plain, other]);
    }
    return this.#queue.shift() as RoundPlan;
  }
}
