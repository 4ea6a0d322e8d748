/** Runs one scenario from its first row to the judgement. */
import { createFakeDoorbells } from '../fakes/doorbell.ts';
import { createFakeElections } from '../fakes/election.ts';
import { FakeSourceTable } from '../fakes/source.ts';
import { Application } from './application.ts';
import { Dice, streamOf } from './chance.ts';
import { type Evidence, isDrained, judge } from './judge.ts';
import type { Mutation } from './mutation.ts';
import { type Hold, type ProcessFault, type Scenario, TOPICS, type WorldFault } from './scenario.ts';
import { Scheduler } from './scheduler.ts';
import { SimKafka } from './sim-kafka.ts';
import { type PortName, placeOf, SimProcess, type Weather } from './sim-process.ts';
import { SimTables } from './sim-tables.ts';
import { type ProcessWorld, runSender, runWriter } from './start-process.ts';
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
const LOOK_MS = 40;
const LOCK_TTL_MS = 2_000;
/** After the last row arrived: what is still under way may do no harm. */
const AFTERMATH_MS = 400;

export function simulate(scenario: Scenario, options: SimulateOptions = {}): Promise<Outcome> {
  return new Simulation(scenario, options).run();
}

interface Slot {
  readonly name: string;
  readonly kind: 'writer' | 'sender';
  readonly faults: ReadonlyMap<string, ProcessFault>;
  readonly passes: Map<string, number>;
  life: number;
  process: SimProcess | null;
  stop: AbortController;
}

class Simulation implements Weather {
  readonly #scenario: Scenario;
  readonly #options: SimulateOptions;
  readonly #scheduler: Scheduler;
  readonly #world: ProcessWorld;
  readonly #evidence: Evidence;
  readonly #slots: Slot[];
  readonly #away = new Map<PortName, number>();
  readonly #trace: string[] = [];
  #violation: Violation | null = null;
  #healed = false;
  #cured = false;
  #over = false;
  #lingersUntilMs = 0;
  #moments: { readonly gate: string; readonly act: () => void }[] = [];
  readonly #holdDice: Dice;
  #progress = -1;
  #progressAtMs = 0;

  constructor(scenario: Scenario, options: SimulateOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#scheduler = new Scheduler(streamOf(scenario.seed, 'scheduler'));
    const report = (violation: Violation) => this.#report(violation);
    const trace = (line: () => string) => this.#note(line);
    const databaseClock = {
      nowMs: () => this.#scheduler.nowMs,
      wallMs: () => this.#scheduler.nowMs,
      sleep: async () => undefined,
    };
    const kafka = new SimKafka(report);
    for (const topic of TOPICS) kafka.createTopic(topic, scenario.partitions);
    kafka.refuses = ({ value }) => {
      const text = value?.toString() ?? '';
      return text.includes('"forever"') || (!this.#cured && text.includes('"for-a-while"'));
    };
    const sources = new Map(scenario.sources.map(({ name }) => [name, new FakeSourceTable()]));
    const application = new Application(this.#scheduler, sources, trace);
    const registeredAt = new Map<string, number>();
    const tables = new SimTables(databaseClock, kafka, {
      report,
      onRegistered: (source) => registeredAt.set(source, application.now),
    });
    this.#holdDice = new Dice(streamOf(scenario.seed, 'holds'));
    const bellDice = new Dice(streamOf(scenario.seed, 'bells'));
    this.#world = {
      scenario,
      scheduler: this.#scheduler,
      kafka,
      tables,
      sources,
      elections: createFakeElections({ ttlMs: LOCK_TTL_MS, clock: databaseClock }),
      doorbells: createFakeDoorbells({ isLost: () => bellDice.chance(scenario.ringLoss) }),
      mutation: options.mutation ?? null,
      trace,
      report,
    };
    this.#evidence = { scenario, kafka, tables, application, registeredAt };
    this.#slots = [
      ...scenario.writers.map((name) => this.#slot(name, 'writer' as const)),
      ...scenario.senders.map((name) => this.#slot(name, 'sender' as const)),
    ];
  }

  get faultChance(): number {
    return this.#healed ? 0 : this.#scenario.faultChance;
  }

  get latencyMs(): number {
    return this.#scenario.latencyMs;
  }

  isAway(port: PortName): boolean {
    return (this.#away.get(port) ?? 0) > this.#scheduler.nowMs;
  }

  get faulty(): boolean {
    return !this.#healed;
  }

  linger(ms: number): void {
    this.#lingersUntilMs = Math.max(this.#lingersUntilMs, this.#scheduler.nowMs + ms);
  }

  afterHold(hold: Hold, act: () => void): void {
    let waits = true;
    const end = () => {
      if (waits) act();
      waits = false;
    };
    this.linger(hold.ms);
    this.#scheduler.after(hold.ms, end);
    if (hold.until === null) return;
    const dice = this.#holdDice;
    this.#moments.push({ gate: hold.until, act: () => this.#scheduler.after(dice.pick([0, 1, 20, 100]), end) });
  }

  passed(gate: string): void {
    if (this.#moments.length === 0) return;
    this.#moments = this.#moments.filter((moment) => {
      if (moment.gate !== gate) return true;
      moment.act();
      return false;
    });
  }

  async run(): Promise<Outcome> {
    const { scheduler } = this.#world;
    this.#evidence.application.start(this.#scenario.transactions);
    const dice = new Dice(streamOf(this.#scenario.seed, 'starts'));
    for (const slot of this.#slots) scheduler.after(dice.between(0, 300), () => this.#start(slot));
    for (const restart of this.#scenario.restarts) {
      const slot = this.#slots.find(({ name }) => name === restart.process);
      if (slot) scheduler.after(restart.atMs, () => this.#terminate(slot));
    }
    for (const fault of this.#scenario.world) scheduler.after(fault.atMs, () => this.#strike(fault));
    scheduler.after(this.#scenario.curesAtMs, () => {
      this.#cured = true;
    });
    scheduler.after(this.#scenario.healAtMs, () => this.#heal());
    await scheduler.run(() => this.#over || this.#violation !== null || scheduler.steps > STEPS_MAX);
    if (scheduler.steps > STEPS_MAX) this.#report(new Violation('liveness', `${STEPS_MAX} steps and no end`));
    this.#over = true;
    const violation = this.#violation ?? judge(this.#evidence);
    return {
      violation,
      steps: scheduler.steps,
      virtualMs: scheduler.nowMs,
      rows: this.#evidence.application.rows.size,
      trace: this.#trace,
    };
  }

  #slot(name: string, kind: Slot['kind']): Slot {
    const faults = new Map(
      this.#scenario.faults
        .filter(({ process }) => process === name)
        .map((fault) => [placeOf(fault.gate, fault.pass), fault]),
    );
    return { name, kind, faults, passes: new Map(), life: 0, process: null, stop: new AbortController() };
  }

  // ------------------------------------------------------------ processes

  #start(slot: Slot): void {
    if (slot.process !== null || this.#over) return;
    slot.life += 1;
    const { seed, keepsIds } = this.#scenario;
    const name = `${slot.name}.${slot.life}`;
    const dice = new Dice(streamOf(seed, name));
    const process = new SimProcess({
      name,
      scheduler: this.#scheduler,
      dice,
      weather: this,
      faults: slot.faults,
      passes: slot.passes,
      clockRate: dice.chance(0.5) ? 1 : dice.between(0.97, 1.03),
      trace: this.#world.trace,
      onCrash: () => this.#buried(slot, dice.between(0, 2_500)),
    });
    this.#note(() => `${name} starts`);
    slot.process = process;
    slot.stop = new AbortController();
    const { signal } = slot.stop;
    const id = keepsIds ? slot.name : name;
    const running =
      slot.kind === 'writer'
        ? runWriter(this.#world, process, dice, signal)
        : runSender(this.#world, process, id, dice, signal);
    running.then(
      () => {
        if (process.dead) return;
        this.#note(() => `${name} has ended`);
        process.dead = true;
        this.#buried(slot, dice.between(0, 2_000));
      },
      (thrown: unknown) => this.#report(new Violation('I8', `${name} ends by a fatal fault: ${String(thrown)}`)),
    );
  }

  #buried(slot: Slot, restartInMs: number): void {
    slot.process = null;
    this.#scheduler.after(restartInMs, () => this.#start(slot));
  }

  #terminate(slot: Slot): void {
    const { process } = slot;
    if (process === null) return;
    this.#note(() => `${process.name} gets SIGTERM`);
    process.wake(() => slot.stop.abort());
  }

  // ------------------------------------------------------------ the world

  #strike(fault: WorldFault): void {
    if (this.#healed) return;
    this.#note(() => `the world: ${JSON.stringify(fault)}`);
    const { kafka, elections, doorbells } = this.#world;
    const scheduler = this.#scheduler;
    switch (fault.kind) {
      case 'away':
        if (fault.what === 'db') for (const port of ['store', 'source'] as const) this.#leave(port, fault.forMs);
        else if (fault.what === 'kafka') this.#leave('kafka', fault.forMs);
        else if (fault.what === 'lock') {
          elections.setAway(true);
          scheduler.after(fault.forMs, () => elections.setAway(false));
        } else {
          doorbells.setAway(true);
          scheduler.after(fault.forMs, () => doorbells.setAway(false));
        }
        return;
      case 'lock-flush':
        return elections.flush();
      case 'lock-steal':
        return elections.steal(fault.source);
      case 'markers-expire':
        return kafka.forgetMarkers();
      case 'topic-missing':
      case 'topic-forbidden': {
        const set = fault.kind === 'topic-missing' ? kafka.missing : kafka.forbidden;
        set.add(fault.topic);
        scheduler.after(fault.forMs, () => set.delete(fault.topic));
      }
    }
  }

  #leave(port: PortName, forMs: number): void {
    this.#away.set(port, this.#scheduler.nowMs + forMs);
  }

  #heal(): void {
    this.#note(() => 'the world heals');
    this.#healed = true;
    this.#cured = true;
    this.#away.clear();
    const { kafka, elections, doorbells } = this.#world;
    elections.setAway(false);
    doorbells.setAway(false);
    kafka.missing.clear();
    kafka.forbidden.clear();
    for (const slot of this.#slots) this.#start(slot);
    this.#look();
  }

  /** Looks from time to time whether all is done; not by when it had to be is a promise broken too. */
  #look(): void {
    const done = this.#evidence.application.unfinished === 0 && isDrained(this.#evidence);
    if (done) {
      const aftermathMs = Math.max(0, this.#lingersUntilMs - this.#scheduler.nowMs) + AFTERMATH_MS;
      this.#scheduler.after(aftermathMs, () => {
        this.#over = true;
      });
      return;
    }
    const progress = this.#countProgress();
    if (progress !== this.#progress) this.#progressAtMs = this.#scheduler.nowMs;
    this.#progress = progress;
    if (this.#scheduler.nowMs - this.#progressAtMs > LIVENESS_BOUND_MS) {
      this.#report(judge(this.#evidence) ?? new Violation('liveness', this.#stuck()));
      return;
    }
    this.#scheduler.after(LOOK_MS, () => this.#look());
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
    return `nothing has moved for ${LIVENESS_BOUND_MS} ms: ${tables.outbox.size} rows in the outbox, ${tables.aside.size} aside, lanes ${lanes.join(' ')}`;
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
