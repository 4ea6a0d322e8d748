/**
 * A simulated operating system process: a clock of its own, and gates that every call to a port passes twice, before and after
 * its effect. At a gate it can be killed, stopped (SIGSTOP), cut off, or lose the reply; what is under way may still happen.
 */
import type { Clock, ErrorCode } from '#runtime';
import { RelayError } from '#runtime';
import type { Dice } from './chance.ts';
import type { ProcessFault } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';

export type PortName = 'source' | 'store' | 'kafka' | 'lock';

/** What the world says about a port at this moment. */
export interface Weather {
  isAway(port: PortName): boolean;
  /** False once the world has healed: from then on no fault strikes. */
  readonly faulty: boolean;
  /** Something of the faults is still under way for this long. */
  linger(ms: number): void;
  /** Chance that a call fails at a gate, while the fault phase lasts. */
  readonly faultChance: number;
  /** Mean latency of a gate in milliseconds. */
  readonly latencyMs: number;
}

export interface SimProcessOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly dice: Dice;
  readonly weather: Weather;
  /** Faults by the number of the gate at which they strike. */
  readonly faults: ReadonlyMap<number, ProcessFault>;
  /** Gates passed by former lives of this process. */
  readonly gatesBefore: number;
  readonly clockRate: number;
  readonly trace: (line: () => string) => void;
  readonly onCrash: () => void;
}

interface Call {
  reject: (error: Error) => void;
}

/** What a killed process had sent may arrive at once or after others have taken over. */
const GHOST_DELAYS_MS = [50, 1_000, 6_000] as const;
const forever = new Promise<never>(() => undefined);

export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  gates: number;
  dead = false;
  readonly #options: SimProcessOptions;
  readonly #offsetMs: number;
  #stoppedUntilMs = 0;
  /** The call being started, and the Kafka transaction under way: what a lost reply is about. */
  #starting: Call | null = null;
  #transaction: Call | null = null;

  constructor(options: SimProcessOptions) {
    this.#options = options;
    this.name = options.name;
    this.gates = options.gatesBefore;
    this.#offsetMs = options.dice.whole(0, 1_000_000);
    const { scheduler, clockRate } = options;
    const nowMs = () => this.#offsetMs + scheduler.nowMs * clockRate;
    this.clock = { nowMs, wallMs: nowMs, sleep: (ms, signal) => this.#sleep(ms / clockRate, signal) };
  }

  /** SIGKILL. */
  kill(): void {
    if (this.dead) return;
    this.dead = true;
    this.#options.trace(() => `${this.name} is killed`);
    this.#options.onCrash();
  }

  /** SIGSTOP, and SIGCONT after `ms`. */
  stop(ms: number): void {
    this.#options.trace(() => `${this.name} is stopped for ${Math.round(ms)} ms`);
    this.#options.weather.linger(ms);
    this.#stoppedUntilMs = Math.max(this.#stoppedUntilMs, this.#options.scheduler.nowMs + ms);
  }

  /** Lets code of this process run: now, or when it is continued, or never. */
  wake(run: () => void): void {
    if (this.dead) return;
    const { scheduler } = this.#options;
    if (scheduler.nowMs >= this.#stoppedUntilMs) run();
    else scheduler.after(this.#stoppedUntilMs - scheduler.nowMs, () => this.wake(run));
  }

  /** Starts a call so that its caller can be answered while the call is still on its way. */
  call<T>(start: () => Promise<T>, isTransaction = false): Promise<T> {
    const call: Call = { reject: () => undefined };
    const early = new Promise<never>((_, reject) => {
      call.reject = reject;
    });
    this.#starting = call;
    if (isTransaction) this.#transaction = call;
    const work = start();
    this.#starting = null;
    work.catch(() => undefined);
    return Promise.race([work, early]);
  }

  /** `before:x`, `after:x` and `x`, `x:answered` are the two spellings of the fakes. */
  gate(port: PortName, name: string): Promise<void> {
    if (this.dead) return forever;
    this.gates += 1;
    const answered = name.endsWith(':answered') || name.startsWith('after:');
    const call = this.#starting ?? (port === 'kafka' ? this.#transaction : null);
    this.#starting = null;
    return answered ? this.#answer(port, name) : this.#request(port, name, call);
  }

  #request(port: PortName, name: string, call: Call | null): Promise<void> {
    const { dice, scheduler, weather, trace } = this.#options;
    const fault = weather.faulty ? this.#options.faults.get(this.gates) : undefined;
    const gate = this.gates;
    trace(() => `${this.name} #${gate} asks ${port} ${name}${fault ? ` (${fault.kind})` : ''}`);
    if (fault?.kind === 'crash') {
      this.kill();
      return fault.ghost ? this.#delay(dice.between(0, dice.pick(GHOST_DELAYS_MS))) : forever;
    }
    let delayMs = this.#latency();
    if (fault?.kind === 'stop') {
      this.stop(fault.ms);
      // Stopped before the request left, or while it was under way.
      if (fault.ghost) delayMs += fault.ms;
    }
    if (fault?.kind === 'fail' || dice.chance(weather.faultChance) || weather.isAway(port)) {
      return this.#rejectAfter(delayMs, port, name, false);
    }
    if (fault?.kind === 'late' && call !== null) {
      const giveUpMs = dice.between(10, 400);
      scheduler.after(giveUpMs, () => this.wake(() => call.reject(faultOf(port, name, true, dice))));
      delayMs += fault.ms;
      weather.linger(delayMs);
    }
    return new Promise((resolve) => {
      scheduler.after(delayMs, () => {
        trace(() => `  effect of ${this.name} #${gate} ${name}`);
        // What a killed process sent may arrive or not.
        if (!this.dead || dice.chance(0.5)) resolve();
      });
    });
  }

  #answer(port: PortName, name: string): Promise<void> {
    const { dice, scheduler, weather, trace } = this.#options;
    const fault = weather.faulty ? this.#options.faults.get(this.gates) : undefined;
    const gate = this.gates;
    if (fault) trace(() => `${this.name} #${gate} ${port} ${name} (${fault.kind})`);
    if (fault?.kind === 'crash') {
      this.kill();
      return forever;
    }
    if (fault?.kind === 'stop') this.stop(fault.ms);
    const delayMs = this.#latency();
    if (fault?.kind === 'fail' || fault?.kind === 'late' || dice.chance(weather.faultChance) || weather.isAway(port)) {
      return this.#rejectAfter(delayMs, port, name, true);
    }
    return new Promise((resolve) => {
      scheduler.after(delayMs, () => this.wake(resolve));
    });
  }

  #delay(ms: number): Promise<void> {
    this.#options.weather.linger(ms);
    return new Promise((resolve) => {
      this.#options.scheduler.after(ms, resolve);
    });
  }

  #rejectAfter(delayMs: number, port: PortName, name: string, effective: boolean): Promise<never> {
    const { dice, scheduler, trace } = this.#options;
    const error = faultOf(port, name, effective, dice);
    trace(() => `${this.name} ${name} fails: ${error.code}`);
    return new Promise((_, reject) => {
      scheduler.after(delayMs, () => this.wake(() => reject(error)));
    });
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

/** `effective`: the effect may have happened, which matters for what a commit says. */
function faultOf(port: PortName, name: string, effective: boolean, dice: Dice): RelayError {
  const code = codeOf(port, name, effective, dice);
  return new RelayError(code, `simulated fault at ${name}`);
}

function codeOf(port: PortName, name: string, effective: boolean, dice: Dice): ErrorCode {
  if (port === 'kafka') {
    if (name.endsWith('commit')) return 'KAFKA_OUTCOME_UNKNOWN';
    return dice.pick(['KAFKA_UNREACHABLE', 'KAFKA_UNREACHABLE', 'DEADLINE_EXCEEDED', 'KAFKA_FENCED']);
  }
  if (port === 'source') return dice.pick(['DB_UNREACHABLE', 'DB_TRANSIENT', 'DEADLINE_EXCEEDED']);
  if (effective) return dice.pick(['DB_COMMIT_UNKNOWN', 'DB_COMMIT_UNKNOWN', 'DB_UNREACHABLE', 'DEADLINE_EXCEEDED']);
  return dice.pick(['DB_UNREACHABLE', 'DB_TRANSIENT', 'DB_COMMIT_UNKNOWN', 'DEADLINE_EXCEEDED']);
}
