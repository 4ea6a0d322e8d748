/** Writers and senders as an operator sees them: started, terminated, killed, and started again as new processes. */
import { Dice, streamOf } from './chance.ts';
import type { PlacedFault, Restart } from './scenario.ts';
import { SimProcess, type Weather } from './sim-process.ts';
import { type ProcessWorld, runSender, runWriter } from './start-process.ts';
import { Violation } from './violation.ts';

/** A killed or ended process is started again within this time. */
const DOWN_MAX_MS = 2_500;

export class Slot {
  readonly #name: string;
  readonly #kind: 'writer' | 'sender';
  readonly #world: ProcessWorld;
  readonly #weather: Weather;
  readonly #faults = new Map<string, Map<number, PlacedFault>>();
  readonly #passes = new Map<string, number>();
  #life = 0;
  #process: SimProcess | null = null;
  #stop = new AbortController();
  /** After SIGTERM: how long it stays away; null: until the world heals. */
  #downMs: number | null | undefined;

  constructor(name: string, kind: 'writer' | 'sender', world: ProcessWorld, weather: Weather) {
    this.#name = name;
    this.#kind = kind;
    this.#world = world;
    this.#weather = weather;
    for (const fault of world.scenario.faults) {
      if (fault.process !== name) continue;
      const gate = fault.gate ?? '';
      const passes = this.#faults.get(gate) ?? new Map();
      this.#faults.set(gate, passes.set(fault.pass, fault));
    }
  }

  /** Nothing happens while a process of this slot runs. */
  start(): void {
    if (this.#process !== null) return;
    this.#life += 1;
    const { scenario, scheduler, trace, report } = this.#world;
    const name = `${this.#name}.${this.#life}`;
    const dice = new Dice(streamOf(scenario.seed, name));
    const process = new SimProcess({
      name,
      scheduler,
      dice,
      weather: this.#weather,
      faults: this.#faults,
      passes: this.#passes,
      clockRate: dice.chance(0.5) ? 1 : dice.between(0.97, 1.03),
      trace,
      onCrash: () => this.#bury(dice.between(0, DOWN_MAX_MS)),
    });
    trace?.(() => `${name} starts`);
    this.#process = process;
    this.#stop = new AbortController();
    this.#downMs = undefined;
    this.#run(process, dice).then(
      () => {
        if (process.dead) return;
        trace?.(() => `${name} has ended`);
        process.dead = true;
        this.#bury(this.#downMs === undefined ? dice.between(0, DOWN_MAX_MS) : this.#downMs);
      },
      (thrown: unknown) => report(new Violation('I8', `${name} ends by a fatal fault: ${String(thrown)}`)),
    );
  }

  /** SIGTERM. */
  terminate({ downMs }: Restart): void {
    const process = this.#process;
    if (process === null) return;
    this.#world.trace?.(() => `${process.name} gets SIGTERM`);
    this.#downMs = downMs;
    process.wake(() => this.#stop.abort());
  }

  #run(process: SimProcess, dice: Dice): Promise<void> {
    const { signal } = this.#stop;
    if (this.#kind === 'writer') return runWriter(this.#world, process, dice, signal);
    const id = this.#world.scenario.keepsIds ? this.#name : process.name;
    return runSender(this.#world, process, id, dice, signal);
  }

  #bury(restartInMs: number | null): void {
    this.#process = null;
    // In a healed world nobody stays away.
    if (restartInMs !== null || !this.#weather.faulty)
      this.#world.scheduler.after(restartInMs ?? 0, () => this.start());
  }
}
