/**
 * A place for one writer or sender, kept filled as a supervisor would: whatever ends is started again. Behind proxies of
 * its own, so that each connection can be broken for it alone. Remembers how its processes ended and what they used.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#runtime';
import { type App, type AppExit, type FaultProxy, type LogLine, spawnApp } from '#testkit';

export type Kind = 'writer' | 'sender';

export interface SlotProxies {
  readonly database: FaultProxy;
  readonly redis: FaultProxy;
  readonly kafka: FaultProxy;
}

export interface SlotPlan {
  readonly kind: Kind;
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly proxies: SlotProxies;
  readonly logs: string;
  /** Of the next process, given its number in this slot. */
  readonly instanceId: (generation: number) => string;
}

/** The end of a process that nobody asked for. */
export interface Fall {
  readonly process: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It had got so far as to serve its metrics. */
  readonly wasReady: boolean;
  readonly atMs: number;
  readonly output: string;
}

export interface Usage {
  readonly process: string;
  readonly rssMb: number;
  readonly descriptors: number;
  readonly ageMs: number;
}

const RESTART_PAUSE_MS = 200;
/** A process that ends at once is not started again at once. */
const RESTART_PAUSE_YOUNG_MS = 1_000;
const YOUNG_MS = 3_000;
const HEALTH_DEADLINE_MS = 10_000;
/**
 * The limits of the heap that each process would start itself anew for, and room enough to load its code without collecting
 * garbage: together a third of what a start costs, and the drill starts thousands.
 */
const NODE_FLAGS = ['--max-semi-space-size=8', '--min-semi-space-size=8', '--heap-growing-percent=40'];
const PREFIX = 'KAFKA_ROW_SENDER_';

/** A process that is killed keeps nothing of what it has compiled: one of each kind that ends by itself does it for all. */
export async function compileAhead(): Promise<void> {
  for (const kind of ['writer', 'sender'] as const) {
    // Without settings it is refused, once everything is loaded.
    await spawnApp(`apps/${kind}/main.ts`, {}, { cwd: tmpdir(), nodeFlags: NODE_FLAGS }).exit;
  }
}

export class Slot {
  readonly kind: Kind;
  readonly name: string;
  readonly proxies: SlotProxies;
  readonly falls: Fall[] = [];
  readonly #plan: SlotPlan;
  #app: App | null = null;
  #instance = '';
  #generation = 0;
  #startedAtMs = 0;
  /** Of the process under way, once it has said so. */
  #knownAddress: string | null = null;
  /** How the process under way may end. */
  #expects: 'running' | 'kill' | 'stop' | 'crash' = 'running';
  /** For the next process only. */
  #next: { readonly env: Readonly<Record<string, string>>; readonly ended: (exit: AppExit) => void } | null = null;
  #closing = false;
  #paused = false;
  #held: Promise<void> | null = null;
  #life: Promise<void> = Promise.resolve();

  constructor(plan: SlotPlan) {
    this.#plan = plan;
    this.kind = plan.kind;
    this.name = plan.name;
    this.proxies = plan.proxies;
  }

  /** The instance id of the process under way. */
  get instance(): string {
    return this.#instance;
  }

  get running(): boolean {
    return this.#app?.running ?? false;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get ready(): boolean {
    return this.running && this.#address() !== null;
  }

  /** What the process under way, or the last one, has logged. */
  get log(): readonly LogLine[] {
    return this.#app?.log ?? [];
  }

  start(): void {
    this.#life = this.#live();
  }

  /** SIGKILL; the next process starts by itself. */
  async kill(): Promise<void> {
    this.#expects = 'kill';
    await this.#app?.kill();
  }

  /** SIGTERM. Resolves with the exit code and how long it took; a process killed after `deadlineMs` has none. */
  async terminate(deadlineMs: number): Promise<{ code: number | null; tookMs: number }> {
    this.#expects = 'stop';
    const startedMs = systemClock.nowMs();
    const exit = await this.#app?.stop(deadlineMs);
    return { code: exit === undefined ? 0 : exit.code, tookMs: systemClock.nowMs() - startedMs };
  }

  /** The next process of this slot gets these variables, and may end itself by SIGKILL. Resolves with its end. */
  crashNext(env: Readonly<Record<string, string>>): Promise<AppExit> {
    const { promise, resolve } = Promise.withResolvers<AppExit>();
    this.#next = { env, ended: resolve };
    return promise;
  }

  /** Nothing is started here until the returned function is called. */
  vacate(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return () => {
      this.#held = null;
      resolve();
    };
  }

  pause(): void {
    this.#paused = true;
    this.#app?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#app?.resume();
  }

  /** `ok`, or why it is not healthy. */
  async health(): Promise<string> {
    const address = this.#address();
    if (!this.running || address === null) return `${this.name} does not run`;
    try {
      const answer = await fetch(`${address}/healthz`, { signal: AbortSignal.timeout(HEALTH_DEADLINE_MS) });
      return answer.ok ? 'ok' : `${this.name} says ${answer.status} ${await answer.text()}`;
    } catch {
      return `${this.name} does not answer`;
    }
  }

  /** Null while nothing runs. */
  usage(): Usage | null {
    const app = this.#app;
    if (app === null || !app.running) return null;
    try {
      const status = readFileSync(`/proc/${app.pid}/status`, 'utf8');
      return {
        process: this.#instance,
        rssMb: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1_024,
        descriptors: readdirSync(`/proc/${app.pid}/fd`).length,
        ageMs: systemClock.nowMs() - this.#startedAtMs,
      };
    } catch {
      return null;
    }
  }

  /** The end of what the process under way, or the last one, has printed. */
  output(): string {
    return this.#app?.output() ?? '';
  }

  /** No process is started any more; the one that runs is left alone. */
  retire(): void {
    this.#closing = true;
    this.#expects = 'stop';
  }

  async close(): Promise<void> {
    this.retire();
    this.#held = null;
    await this.#app?.kill();
    await this.#life;
    const { database, redis, kafka } = this.proxies;
    await Promise.all([database.stop(), redis.stop(), kafka.stop()]);
  }

  async #live(): Promise<void> {
    while (!this.#closing) {
      const next = this.#next;
      this.#next = null;
      const app = this.#spawn(next?.env ?? {});
      if (next !== null) this.#expects = 'crash';
      const { code, signal } = await app.exit;
      next?.ended({ code, signal });
      const wasReady = this.#address() !== null;
      const asked =
        this.#expects === 'kill' || this.#expects === 'stop' || (this.#expects === 'crash' && signal === 'SIGKILL');
      if (!asked) {
        const output = app.output();
        this.falls.push({ process: this.#instance, code, signal, wasReady, atMs: systemClock.nowMs(), output });
      }
      if (this.#closing) return;
      const young = systemClock.nowMs() - this.#startedAtMs < YOUNG_MS;
      await systemClock.sleep(young && !asked ? RESTART_PAUSE_YOUNG_MS : RESTART_PAUSE_MS);
      await this.#held;
    }
  }

  #spawn(extra: Readonly<Record<string, string>>): App {
    const { kind, name, env, logs, instanceId } = this.#plan;
    this.#generation += 1;
    this.#instance = instanceId(this.#generation);
    this.#expects = 'running';
    this.#paused = false;
    this.#knownAddress = null;
    this.#startedAtMs = systemClock.nowMs();
    const own = { [`${PREFIX}INSTANCE_ID`]: this.#instance, [`${PREFIX}HTTP_PORT`]: '0', ...extra };
    const logFile = join(logs, `${name}.${this.#generation}.log`);
    // Not in the repository's folder: a `.env` there must not become the drill's settings.
    this.#app = spawnApp(`apps/${kind}/main.ts`, { ...env, ...own }, { cwd: tmpdir(), logFile, nodeFlags: NODE_FLAGS });
    return this.#app;
  }

  #address(): string | null {
    if (this.#knownAddress !== null) return this.#knownAddress;
    const line = this.#app?.log.find(({ port }) => typeof port === 'number' && port > 0);
    if (line !== undefined) this.#knownAddress = `http://${line.host}:${line.port}`;
    return this.#knownAddress;
  }
}
