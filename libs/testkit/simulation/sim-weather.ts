/** What goes wrong with the servers, and when it ends; and what is held back until somebody passes a gate. */
import type { FakeDoorbells } from '../fakes/doorbell.ts';
import type { FakeElections } from '../fakes/election.ts';
import { Dice, streamOf } from './chance.ts';
import type { Hold, PortName, Scenario, WorldFault } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimKafka } from './sim-kafka.ts';
import type { Trace, Weather } from './sim-process.ts';

export interface WeatherParts {
  readonly scenario: Scenario;
  readonly scheduler: Scheduler;
  readonly dice: Dice;
  readonly kafka: SimKafka;
  readonly elections: FakeElections;
  readonly doorbells: FakeDoorbells;
  readonly shiftDatabaseClock: (byMs: number) => void;
  readonly trace: Trace | null;
}

/** How soon after its moment something held back happens: in the same instant, or a little later. */
const AFTER_MOMENT_MS = [0, 1, 20, 100] as const;

/** Less than a commit takes to settle. */
const LOSES_WITHIN_MS = 20;

/** More than any scenario has. */
const LANES_RUNG = 10;

export class SimWeather implements Weather {
  faulty = true;
  readonly #parts: WeatherParts;
  readonly #awayUntilMs = new Map<PortName, number>();
  /** Whom the lock service does not answer, and how many times over. */
  readonly #cutOff = new Map<string, number>();
  #cured = false;
  /** Things held back that are still to come. */
  #held = 0;
  #onNoneHeld: (() => void) | null = null;
  /** Forgets which records are too large. */
  readonly #forget: () => void;
  #moments: { readonly gate: string; readonly act: () => void }[] = [];

  constructor(parts: WeatherParts) {
    this.#parts = parts;
    const { scenario, scheduler, kafka } = parts;
    const refuses: typeof kafka.refuses = ({ value }) =>
      value !== null && (value.includes('"forever"') || (!this.#cured && value.includes('"for-a-while"')));
    // By name: a function written straight into a property is taken for long-lived by the engine, and its world with it.
    kafka.refuses = refuses;
    // Of every other one it is known before it is sent, and from then on without its value, until the broker takes it.
    const known = new Set<number>();
    const isMisfit: typeof kafka.isMisfit = (record) => {
      if (record.valueBytes !== undefined) return known.has(record.spread);
      const found = record.spread % 2 === 0 && refuses(record);
      if (found) known.add(record.spread);
      return found;
    };
    kafka.isMisfit = isMisfit;
    for (const fault of scenario.world) scheduler.after(fault.atMs, () => this.#strike(fault));
    scheduler.after(scenario.curesAtMs, () => {
      this.#cured = true;
      known.clear();
    });
    this.#forget = () => known.clear();
  }

  get faultChance(): number {
    return this.faulty ? this.#parts.scenario.faultChance : 0;
  }

  get latencyMs(): number {
    return this.#parts.scenario.latencyMs;
  }

  get haste(): number {
    return this.#parts.scenario.haste;
  }

  isAway(port: PortName): boolean {
    return (this.#awayUntilMs.get(port) ?? 0) > this.#parts.scheduler.nowMs;
  }

  /** True while the lock service does not answer this writer. */
  isCutOff(writer: string): boolean {
    return (this.#cutOff.get(writer) ?? 0) > 0;
  }

  /** Calls `act` once, now or as soon as nothing is held back any more. */
  whenNoneHeld(act: () => void): void {
    if (this.#held === 0) act();
    else this.#onNoneHeld = act;
  }

  afterHold(hold: Hold, act: () => void): void {
    const { scheduler, dice } = this.#parts;
    this.#held += 1;
    let waits = true;
    const end = () => {
      if (!waits) return;
      waits = false;
      due.cancelled = true;
      act();
      this.#held -= 1;
      if (this.#held === 0) this.#tellNoneHeld();
    };
    const due = scheduler.after(hold.ms, end);
    if (hold.until === null) return;
    this.#moments.push({ gate: hold.until, act: () => scheduler.after(dice.pick(AFTER_MOMENT_MS), end) });
  }

  #tellNoneHeld(): void {
    const tell = this.#onNoneHeld;
    this.#onNoneHeld = null;
    tell?.();
  }

  passed(gate: string): void {
    if (this.#moments.length === 0) return;
    this.#moments = this.#moments.filter((moment) => {
      if (moment.gate !== gate) return true;
      moment.act();
      return false;
    });
  }

  /** From now on no fault begins; what is held back still comes. */
  heal(): void {
    this.faulty = false;
    this.#cured = true;
    this.#forget();
    this.#awayUntilMs.clear();
    const { kafka, elections, doorbells } = this.#parts;
    elections.setAway(false);
    doorbells.setAway(false);
    kafka.missing.clear();
    kafka.forbidden.clear();
    kafka.away.clear();
  }

  #strike(fault: WorldFault): void {
    if (!this.faulty) return;
    const { kafka, elections, scheduler, trace } = this.#parts;
    trace?.(() => `the world: ${JSON.stringify(fault)}`);
    switch (fault.kind) {
      case 'away':
        this.#leave(fault.what, fault.forMs);
        break;
      case 'lock-flush':
        elections.flush();
        break;
      case 'lock-steal':
        elections.steal(fault.source);
        break;
      case 'no-lock':
        this.#cutOffFrom(fault);
        break;
      case 'rings':
        this.#ringAll();
        break;
      case 'db-clock':
        this.#parts.shiftDatabaseClock(fault.byMs);
        break;
      case 'commits-lost':
        this.#loseCommits(fault);
        break;
      case 'markers-expire':
        kafka.forgetMarkers();
        break;
      case 'topic-missing':
      case 'topic-forbidden': {
        const topics = fault.kind === 'topic-missing' ? kafka.missing : kafka.forbidden;
        topics.add(fault.topic);
        scheduler.after(fault.forMs, () => topics.delete(fault.topic));
        break;
      }
      case 'partition-away':
        this.#leavePartition(fault);
    }
  }

  /** The moment may be the last gate before a commit that is answered at once, so that a little time passes after it. */
  #loseCommits({ torn, until }: Extract<WorldFault, { readonly kind: 'commits-lost' }>): void {
    const { kafka, scheduler, dice, trace } = this.#parts;
    const shares = torn === null ? null : new Dice(streamOf(torn, 'torn'));
    // Half the time nobody is disturbed, and goes on beside what was left open.
    const fences = torn === null || new Dice(streamOf(torn, 'fences')).next() < 0.5;
    const lose = () => {
      if (!this.faulty) return;
      trace?.(() => 'the broker loses what has not settled');
      kafka.loseUnsettled(shares === null ? undefined : () => shares.pick([0, 1, shares.next()]), fences);
    };
    if (until === null) lose();
    else this.#moments.push({ gate: until, act: () => scheduler.after(dice.between(0, LOSES_WITHIN_MS), lose) });
  }

  #cutOffFrom({ writer, forMs }: Extract<WorldFault, { readonly kind: 'no-lock' }>): void {
    const { scenario, scheduler } = this.#parts;
    const add = (by: number) => {
      for (const name of writer === null ? scenario.writers : [writer]) {
        this.#cutOff.set(name, (this.#cutOff.get(name) ?? 0) + by);
      }
    };
    add(1);
    if (forMs !== null) scheduler.after(forMs, () => add(-1));
  }

  #leavePartition(fault: Extract<WorldFault, { readonly kind: 'partition-away' }>): void {
    const { kafka, scheduler, scenario } = this.#parts;
    const part = `${fault.topic}/${fault.partition % scenario.partitions}`;
    const leave = () => {
      if (!this.faulty) return;
      kafka.away.add(part);
      if (!fault.announced) kafka.unannounced.add(part);
      scheduler.after(fault.forMs, () => kafka.away.delete(part));
    };
    if (fault.until === null) leave();
    else this.#moments.push({ gate: fault.until, act: leave });
  }

  #ringAll(): void {
    const { scenario, doorbells } = this.#parts;
    const bell = doorbells.doorbell();
    const lanes = Array.from({ length: LANES_RUNG }, (_, lane) => lane);
    for (const kind of ['rows', 'retry-due', 'markers-due'] as const) bell.ring({ kind, lanes });
    bell.ring({ kind: 'lanes-changed' });
    for (const { name } of scenario.sources) bell.ring({ kind: 'leader-gone', source: name });
  }

  #leave(what: 'db' | 'kafka' | 'lock' | 'bell', forMs: number): void {
    const { elections, doorbells, scheduler } = this.#parts;
    const untilMs = scheduler.nowMs + forMs;
    if (what === 'db') for (const port of ['store', 'source'] as const) this.#awayUntilMs.set(port, untilMs);
    else if (what === 'kafka') this.#awayUntilMs.set('kafka', untilMs);
    else {
      const service = what === 'lock' ? elections : doorbells;
      service.setAway(true);
      scheduler.after(forMs, () => service.setAway(false));
    }
  }
}
