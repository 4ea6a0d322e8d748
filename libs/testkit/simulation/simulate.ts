/** Runs one scenario from its first row to the judgement. */

import { createFakeDatabaseLocks } from '../fakes/database-locks.ts';
import { createFakeDoorbells } from '../fakes/doorbell.ts';
import { createFakeElections } from '../fakes/election.ts';
import { FakeSourceTable } from '../fakes/source-table.ts';
import { Application } from './application.ts';
import { Dice, streamOf } from './chance.ts';
import { type Evidence, isDrained, judge } from './judge.ts';
import type { Mutation } from './mutation.ts';
import { type Scenario, TOPICS } from './scenario.ts';
import { Scheduler } from './scheduler.ts';
import { SimKafka } from './sim-kafka.ts';
import { Slot } from './sim-slot.ts';
import { SimTables } from './sim-tables.ts';
import { SimWeather } from './sim-weather.ts';
import type { ProcessWorld } from './start-process.ts';
import { Violation } from './violation.ts';

export interface Outcome {
  readonly violation: Violation | null;
  readonly steps: number;
  readonly virtualMs: number;
  readonly rows: number;
  readonly trace: readonly string[];
}

export interface SimulateOptions {
  readonly mutation?: Mutation;
  /** Keeps the last lines of what happened; costs time. */
  readonly traceLines?: number;
}

/** After healing something must move within this time: leases, locks, the longest stop and backoffs, with room. */
const LIVENESS_BOUND_MS = 20_000;
const STEPS_MAX = 200_000;
const LOOK_MS = 100;
const LOCK_TTL_MS = 2_000;
const START_MAX_MS = 300;
/** After the last row arrived and the last thing held back came: what is still under way may do no harm. */
const AFTERMATH_MS = 400;

/** Resolves to the first promise broken, or to none. Never rejects. */
export function simulate(scenario: Scenario, options: SimulateOptions = {}): Promise<Outcome> {
  return new Simulation(scenario, options).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #options: SimulateOptions;
  readonly #scheduler: Scheduler;
  readonly #world: ProcessWorld;
  readonly #weather: SimWeather;
  readonly #evidence: Evidence;
  readonly #slots: ReadonlyMap<string, Slot>;
  readonly #trace: string[] = [];
  #violation: Violation | null = null;
  #over = false;
  #progress = -1;
  #progressAtMs = 0;

  constructor(scenario: Scenario, options: SimulateOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#scheduler = new Scheduler(streamOf(scenario.seed, 'scheduler'));
    const scheduler = this.#scheduler;
    const { clock, shift } = databaseClockOf(scheduler);
    const report = (violation: Violation) => this.#report(violation);
    const trace = (options.traceLines ?? 0) > 0 ? (line: () => string) => this.#note(line) : null;
    const kafka = new SimKafka(scheduler, report);
    for (const topic of TOPICS) kafka.createTopic(topic, scenario.partitions);
    const sources = new Map(scenario.sources.map(({ name, idStep }) => [name, new FakeSourceTable(idStep)]));
    const application = new Application(scheduler, sources, trace);
    const registeredAt = new Map<string, number>();
    const onRegistered = (source: string) => registeredAt.set(source, application.now);
    const tables = new SimTables(clock, kafka, { report, onRegistered, transactional: scenario.transactional });
    const bells = new Dice(streamOf(scenario.seed, 'bells'));
    const elections = createFakeElections({ ttlMs: LOCK_TTL_MS, clock });
    const doorbells = createFakeDoorbells({ isLost: () => bells.chance(scenario.ringLoss) });
    const mutation = options.mutation ?? null;
    const databaseLocks = createFakeDatabaseLocks({ ttlMs: LOCK_TTL_MS, clock: databaseClockOf(scheduler).clock });
    const isCutOff = (writer: string) => this.#weather.isCutOff(writer);
    const fenced = new Map<string, number>();
    const onFenced = (source: string) => fenced.set(source, (fenced.get(source) ?? 0) + 1);
    const locks = { elections, databaseLocks, isCutOff };
    this.#world = {
      scenario,
      scheduler,
      kafka,
      tables,
      sources,
      ...locks,
      doorbells,
      mutation,
      trace,
      onFenced,
      report,
    };
    const dice = new Dice(streamOf(scenario.seed, 'holds'));
    this.#weather = new SimWeather({
      scenario,
      scheduler,
      dice,
      kafka,
      elections,
      doorbells,
      shiftDatabaseClock: shift,
      trace,
    });
    this.#evidence = { scenario, kafka, tables, application, registeredAt, fenced };
    this.#slots = new Map([
      ...scenario.writers.map((name) => [name, new Slot(name, 'writer', this.#world, this.#weather)] as const),
      ...scenario.senders.map((name) => [name, new Slot(name, 'sender', this.#world, this.#weather)] as const),
    ]);
  }

  async run(): Promise<Outcome> {
    const scheduler = this.#scheduler;
    this.#evidence.application.start(this.#scenario.transactions);
    const dice = new Dice(streamOf(this.#scenario.seed, 'starts'));
    for (const slot of this.#slots.values()) scheduler.after(dice.between(0, START_MAX_MS), () => slot.start());
    for (const restart of this.#scenario.restarts) {
      scheduler.after(restart.atMs, () => this.#slots.get(restart.process)?.terminate(restart));
    }
    scheduler.after(this.#scenario.healAtMs, () => this.#heal());
    await scheduler.run(() => this.#over || this.#violation !== null || scheduler.steps > STEPS_MAX);
    scheduler.clear();
    if (scheduler.steps > STEPS_MAX) this.#report(new Violation('liveness', `${STEPS_MAX} steps and no end`));
    return {
      violation: this.#violation ?? judge(this.#evidence),
      steps: scheduler.steps,
      virtualMs: scheduler.nowMs,
      rows: this.#evidence.application.rows.size,
      trace: this.#trace,
    };
  }

  #heal(): void {
    this.#note(() => 'the world heals');
    this.#weather.heal();
    for (const slot of this.#slots.values()) slot.start();
    this.#look();
  }

  /** Looks from time to time whether all is done; that nothing moves any more before it is, is a promise broken too. */
  #look(): void {
    const { nowMs } = this.#scheduler;
    if (this.#evidence.application.unfinished === 0 && isDrained(this.#evidence)) {
      this.#weather.whenNoneHeld(() => this.#end());
      return;
    }
    const progress = this.#countProgress();
    if (progress !== this.#progress) this.#progressAtMs = nowMs;
    this.#progress = progress;
    if (nowMs - this.#progressAtMs > LIVENESS_BOUND_MS) {
      this.#report(judge(this.#evidence) ?? new Violation('liveness', this.#stuck()));
      return;
    }
    this.#scheduler.after(LOOK_MS, () => this.#look());
  }

  #end(): void {
    this.#scheduler.after(AFTERMATH_MS, () => {
      this.#over = true;
    });
  }

  /** Rises with every row moved, delivered, deleted, tried again or given up. */
  #countProgress(): number {
    const { tables, kafka } = this.#world;
    let count = tables.appended.size * 4 + kafka.order.length * 2 - tables.outbox.size;
    for (const { attempts, state } of tables.aside.values()) count += attempts + (state === 'dead' ? 1 : 0);
    return count;
  }

  #stuck(): string {
    const { tables } = this.#world;
    const lanes = [...tables.lanes.values()].map(({ lane, holder, state }) => `${lane}:${holder ?? '-'}:${state}`);
    const rows = `${tables.outbox.size} rows in the outbox, ${tables.aside.size} aside`;
    return `nothing has moved for ${LIVENESS_BOUND_MS} ms: ${rows}, lanes ${lanes.join(' ')}`;
  }

  #report(violation: Violation): void {
    this.#violation ??= violation;
    this.#note(() => `VIOLATION ${violation.message}`);
  }

  #note(line: () => string): void {
    const max = this.#options.traceLines ?? 0;
    if (max === 0) return;
    this.#trace.push(`${this.#scheduler.nowMs.toFixed(1).padStart(9)} ${line()}`);
    if (this.#trace.length > 2 * max) this.#trace.splice(0, this.#trace.length - max);
  }
}

function databaseClockOf(scheduler: Scheduler) {
  let offsetMs = 0;
  const nowMs = () => scheduler.nowMs + offsetMs;
  const shift = (byMs: number) => {
    offsetMs += byMs;
  };
  return { clock: { nowMs, wallMs: nowMs, sleep: async () => undefined }, shift };
}
