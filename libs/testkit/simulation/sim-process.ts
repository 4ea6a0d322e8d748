/**
 * A simulated operating system process: a clock of its own, and gates that every call to a port passes twice, before and after
 * its effect. At a gate it can be killed, stopped (SIGSTOP), cut off, or lose the reply; what is under way may still happen.
 */
import type { Clock } from '#runtime';
import type { Dice } from './chance.ts';
import { faultOf } from './fault-of-gate.ts';
import type { Hold, PortName, ProcessFault } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';

/** What the world says about a port at this moment. */
export interface Weather {
  isAway(port: PortName): boolean;
  /** False once the world has healed: from then on no fault strikes. */
  readonly faulty: boolean;
  /** Calls `act` once: when anybody passes the gate, or when the time is up. */
  afterHold(hold: Hold, act: () => void): void;
  /** Somebody passes a gate. */
  passed(gate: string): void;
  /** Chance that a call fails at a gate, while the fault phase lasts. */
  readonly faultChance: number;
  /** Mean latency of a gate in milliseconds. */
  readonly latencyMs: number;
  /** Share of the gates that are passed in no time. */
  readonly haste: number;
}

export type Trace = (line: () => string) => void;

export interface SimProcessOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly dice: Dice;
  readonly weather: Weather;
  /** Faults by the gate at which they strike ('': any) and its pass. */
  readonly faults: ReadonlyMap<string, ReadonlyMap<number, ProcessFault>>;
  /** Passes of the gates that have faults, also by former lives of this process; of all of them under the name ''. */
  readonly passes: Map<string, number>;
  readonly clockRate: number;
  /** Null where nobody reads it: then the lines are not even made. */
  readonly trace: Trace | null;
  readonly onCrash: () => void;
}

/** Calls that hold the lane's row until their COMMIT (what is late of them is only that), and calls that come after those. */
const gatesOf = (calls: readonly string[]) => new Set(calls.map((call) => `store.${call}`));
const LOCKING = ['setAside', 'beginAttempt', 'settleAttempts', 'failAttempts', 'moveAside'];
const ROW_LOCKING = gatesOf(LOCKING);
const ROW_NEEDING = gatesOf([
  ...[...LOCKING, 'renewLeases', 'clearFences', 'releaseLane', 'recordMarkerWritten'],
  ...['renameHolder', 'haltLane', 'deleteDelivered'],
]);

interface Call {
  reject: (error: Error) => void;
}

/** The names under which faults are placed at a call. */
export interface Gates {
  readonly asked: string;
  readonly answered: string;
}

/** What follows a gate: `go` when it is passed, `fail` when the call ends there; neither when the process is dead. */
interface Passage {
  readonly go: () => void;
  readonly fail: (error: Error) => void;
}

export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  dead = false;
  /** False for mutations only: changes of rows aside do not hold their lane's row until they are committed. */
  locksRows = true;
  readonly #options: SimProcessOptions;
  readonly #offsetMs: number;
  /** Code that waits for SIGCONT; null while the process runs. */
  #held: (() => void)[] | null = null;
  #rowLock: Promise<void> | null = null;
  /** The Kafka transaction under way: what the lost reply of one of its steps is about. */
  #transaction: Call | null = null;

  constructor(options: SimProcessOptions) {
    this.#options = options;
    this.name = options.name;
    this.#offsetMs = options.dice.whole(0, 1_000_000);
    const { scheduler, clockRate } = options;
    const nowMs = () => this.#offsetMs + scheduler.nowMs * clockRate;
    this.clock = { nowMs, wallMs: nowMs, sleep: (ms, signal) => this.#sleep(ms / clockRate, signal) };
  }

  /** SIGKILL. */
  kill(): void {
    if (this.dead) return;
    this.dead = true;
    this.#options.trace?.(() => `${this.name} is killed`);
    this.#options.onCrash();
  }

  /** SIGSTOP, and SIGCONT when the hold ends. */
  stop(hold: Hold): void {
    this.#options.trace?.(() => `${this.name} is stopped for ${Math.round(hold.ms)} ms or until ${hold.until}`);
    if (this.#held !== null) return;
    this.#held = [];
    this.#options.weather.afterHold(hold, () => {
      this.#options.trace?.(() => `${this.name} is continued`);
      const held = this.#held ?? [];
      this.#held = null;
      for (const run of held) this.wake(run);
    });
  }

  /** Lets code of this process run: now, or when it is continued, or never. */
  wake(run: () => void): void {
    if (this.dead) return;
    if (this.#held === null) run();
    else this.#held.push(run);
  }

  /** Starts a Kafka transaction so that its caller can be answered while one of its steps is still on its way. */
  transact(start: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#transaction = { reject };
      // What passed its gates is answered already; what failed without one comes back only to a process that runs.
      start().then(resolve, (error: unknown) => this.wake(() => reject(error)));
    });
  }

  /**
   * A call, whose effect is one instant between two gates; its caller can be answered before the effect has come. `isPart`: a
   * step of the transaction under way, which is what an early answer ends.
   */
  perform<T>(port: PortName, gates: Gates, effect: () => T, isPart = false): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.dead) return;
      const { weather } = this.#options;
      const happen = () => {
        let answer: T;
        try {
          answer = effect();
        } catch (error) {
          this.wake(() => reject(error));
          return;
        }
        if (this.dead) return;
        weather.passed(gates.answered);
        this.#answer(port, gates.answered, { go: () => resolve(answer), fail: reject });
      };
      weather.passed(gates.asked);
      const call = isPart ? this.#transaction : { reject };
      this.#request(port, gates.asked, call, { go: happen, fail: reject });
    });
  }

  /** Before and after a call to the lock service. Nothing to wait for: passed in no time. */
  lockGate(name: string): Promise<void> | undefined {
    // A promise of its own: what waits for it is forgotten with it.
    if (this.dead) return new Promise<never>(() => undefined);
    this.#options.weather.passed(name);
    let isPassed = false;
    let go = () => {
      isPassed = true;
    };
    let fail: (error: Error) => void = () => undefined;
    const passage = { go: () => go(), fail: (error: Error) => fail(error) };
    if (name.startsWith('after:')) this.#answer('lock', name, passage);
    else this.#request('lock', name, null, passage);
    if (isPassed) return undefined;
    return new Promise((resolve, reject) => {
      [go, fail] = [resolve, reject];
    });
  }

  #request(port: PortName, name: string, call: Call | null, passage: Passage): void {
    const { dice, scheduler, weather, trace } = this.#options;
    const fault = this.#strike(name);
    trace?.(() => `${this.name} asks ${port} ${name}${fault ? ` (${fault.kind})` : ''}`);
    const latencyMs = this.#latency();
    if (fault?.kind === 'crash') {
      this.kill();
      if (fault.ghost) this.#holdBack(fault, name, passage.go);
      return;
    }
    if (fault?.kind === 'fail' || dice.chance(weather.faultChance) || weather.isAway(port)) {
      this.#failAfter(latencyMs, port, name, false, passage.fail);
      return;
    }
    if (fault?.kind === 'stop') {
      this.stop(fault);
      // Stopped before the request left, or while it was under way.
      if (fault.ghost) return void this.#holdBack(fault, name, passage.go);
    }
    if (fault?.kind === 'late' && call !== null) {
      const error = faultOf(port, name, true, dice);
      scheduler.after(dice.between(10, 400), () => this.wake(() => call.reject(error)));
      const late = this.#holdBack(fault, name, passage.go);
      if (this.locksRows && ROW_LOCKING.has(name)) this.#rowLock = late;
      return;
    }
    this.#send(name, latencyMs, passage.go);
  }

  #send(name: string, latencyMs: number, go: () => void): void {
    const { dice, scheduler, weather, trace } = this.#options;
    const rowLock = this.#rowLock !== null && ROW_NEEDING.has(name) ? this.#rowLock : null;
    // What is quick is cheap to simulate, and the rest overtakes all the more.
    if (rowLock === null && this.#held === null && dice.chance(weather.haste)) {
      trace?.(() => `  effect of ${this.name} ${name}, at once`);
      go();
      return;
    }
    const happen = () => {
      // What a killed process sent may arrive or not.
      if (this.dead && dice.chance(0.5)) return;
      trace?.(() => `  effect of ${this.name} ${name}`);
      go();
    };
    scheduler.after(latencyMs, () => {
      if (rowLock === null) happen();
      else void rowLock.then(happen);
    });
  }

  #answer(port: PortName, name: string, { go, fail }: Passage): void {
    const { dice, scheduler, weather, trace } = this.#options;
    const fault = this.#strike(name);
    if (fault) trace?.(() => `${this.name} ${port} ${name} (${fault.kind})`);
    if (fault?.kind === 'crash') {
      this.kill();
      return;
    }
    const latencyMs = this.#latency();
    if (fault?.kind === 'stop') this.stop(fault);
    else if (fault !== undefined || dice.chance(weather.faultChance) || weather.isAway(port)) {
      this.#failAfter(latencyMs, port, name, true, fail);
      return;
    }
    if (this.#held === null && dice.chance(weather.haste)) go();
    else scheduler.after(latencyMs, () => this.wake(go));
  }

  /** The fault placed at this pass of this gate, once, and only while the world is faulty. */
  #strike(name: string): ProcessFault | undefined {
    const { passes, faults, weather } = this.#options;
    if (faults.size === 0 || !weather.faulty) return undefined;
    const all = (passes.get('') ?? 0) + 1;
    passes.set('', all);
    const strewn = faults.get('')?.get(all);
    const here = faults.get(name);
    if (here === undefined) return strewn;
    const named = (passes.get(name) ?? 0) + 1;
    passes.set(name, named);
    return here.get(named) ?? strewn;
  }

  /** Resolves when it has happened. */
  #holdBack(hold: Hold, name: string, go: () => void): Promise<void> {
    const { weather, trace } = this.#options;
    return new Promise((resolve) => {
      weather.afterHold(hold, () => {
        trace?.(() => `  held back effect of ${this.name} ${name}`);
        go();
        resolve();
      });
    });
  }

  #failAfter(delayMs: number, port: PortName, name: string, effective: boolean, fail: (error: Error) => void): void {
    const { dice, scheduler, trace } = this.#options;
    const error = faultOf(port, name, effective, dice);
    trace?.(() => `${this.name} ${name} fails: ${error.code}`);
    scheduler.after(delayMs, () => this.wake(() => fail(error)));
  }

  #latency(): number {
    const { dice, weather } = this.#options;
    const roll = dice.next();
    // Mostly quick, sometimes slow, so that calls overtake each other.
    if (roll > 0.99) return dice.between(50, 500);
    return roll * 2 * weather.latencyMs;
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const finish = () => {
        due.cancelled = true;
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const due = this.#options.scheduler.after(ms, () => this.wake(finish));
      signal?.addEventListener('abort', finish);
    });
  }
}
