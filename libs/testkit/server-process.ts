/**
 * A server process of our own, in its own process group, with its log in a file: started, killed, paused, resumed and
 * restarted on the same port and data. It outlives nobody: unless told to stay, a guard ends it when this process is gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { guardProcess, unguardProcess } from './process-guard.ts';

export interface ServerPlan {
  readonly name: string;
  readonly binary: string;
  readonly args: readonly string[];
  readonly dir: string;
  readonly logFile: string;
  /** One attempt to use the server for real; rejects while it is not ready. */
  readonly probe: () => Promise<unknown>;
  readonly readyDeadlineMs: number;
  /** The server stays when this process ends. */
  readonly detached?: boolean;
  /** More environment for it. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a drill may do to a server. */
export interface ServerControl {
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Ends it in an orderly way if it runs, and starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it in an orderly way; data that was made for it is removed. Idempotent. */
  stop(): Promise<void>;
}

const PROBE_PAUSE_MS = 50;
const TERM_DEADLINE_MS = 30_000;
const LOG_TAIL_LINES = 15;

export class ServerProcess {
  readonly #plan: ServerPlan;
  #child: ChildProcess | null = null;

  constructor(plan: ServerPlan) {
    this.#plan = plan;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#plan.name} is not running`);
    return pid;
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the server answers for real; rejects with the end of its log when it exits or stays silent. */
  async start(): Promise<void> {
    await this.launch();
    await this.ready();
  }

  /** Starts without waiting, for servers that only get ready together. */
  async launch(): Promise<void> {
    const { binary, args, dir, logFile, detached, env } = this.#plan;
    const log = openSync(logFile, 'a');
    try {
      const stdio = ['ignore', log, log] as const;
      const child = spawn(binary, args, {
        cwd: dir,
        detached: true,
        stdio: [...stdio],
        env: { ...process.env, ...env },
      });
      await once(child, 'spawn');
      child.unref();
      this.#child = child;
    } finally {
      closeSync(log);
    }
    if (!detached) guardProcess(this.pid);
  }

  async ready(): Promise<void> {
    const { name, probe, readyDeadlineMs } = this.#plan;
    const deadline = performance.now() + readyDeadlineMs;
    for (;;) {
      if (!this.running) throw new Error(`${name} ended while starting:\n${this.#logTail()}`);
      try {
        await probe();
        return;
      } catch (error) {
        if (performance.now() > deadline) {
          await this.kill();
          const why = error instanceof Error ? error.message : String(error);
          throw new Error(`${name} not ready after ${readyDeadlineMs} ms (${why}):\n${this.#logTail()}`);
        }
      }
      await sleep(PROBE_PAUSE_MS);
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM, and SIGKILL when that has not helped in time. */
  async terminate(): Promise<void> {
    // A stopped process takes no SIGTERM.
    this.signal('SIGCONT');
    const force = setTimeout(() => this.signal('SIGKILL'), TERM_DEADLINE_MS);
    try {
      await this.#end('SIGTERM');
    } finally {
      clearTimeout(force);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    if (this.running) {
      child.ref();
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    }
    if (child.pid !== undefined && !this.#plan.detached) unguardProcess(child.pid);
    this.#child = null;
  }

  #logTail(): string {
    return readFileSync(this.#plan.logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }
}
