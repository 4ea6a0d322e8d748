/** Runs one of our executables as a process of its own, for drills: its log lines are events, its end is a promise. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { guardProcess, unguardProcess } from './process-guard.ts';

/** A line of the app's JSON log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

export interface AppExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface App {
  readonly pid: number;
  readonly exit: Promise<AppExit>;
  readonly running: boolean;
  /** Log lines so far, the last LINES_MAX of them. */
  readonly log: readonly LogLine[];
  /** The end of everything printed, stdout and stderr, for messages of failed tests. */
  output(): string;
  /**
   * The first log line that fits, among those already there and those to come. Rejects after `deadlineMs`, or when the
   * app ends before, with the end of its output.
   */
  waitForLog(fits: (line: LogLine) => boolean, deadlineMs: number, what?: string): Promise<LogLine>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<AppExit>;
  /** SIGTERM, and waits for the end; SIGKILL when that takes longer than `deadlineMs`. */
  stop(deadlineMs?: number): Promise<AppExit>;
  pause(): void;
  resume(): void;
}

export interface SpawnAppOptions {
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** For node itself, before the program. */
  readonly nodeFlags?: readonly string[];
  /** Everything printed is added to this file too. */
  readonly logFile?: string;
}

const LINES_MAX = 20_000;
const OUTPUT_TAIL = 4_000;
const STOP_DEADLINE_MS = 30_000;
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const NODE_FLAGS = ['--conditions=source', '--disable-warning=TimeoutNegativeWarning'];

/** The launcher's: compiling TypeScript anew would be most of what a short process does. */
const COMPILED = `${REPOSITORY}node_modules/.cache/node-compile-cache`;

/** The settings of the surrounding shell must not leak into a drill. */
function ownEnvironment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const outer = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('KAFKA_ROW_SENDER_') && !name.startsWith('NODE_'),
  );
  return { NODE_COMPILE_CACHE: COMPILED, ...Object.fromEntries(outer), ...env };
}

/** `entry` is relative to the repository, such as `apps/writer/main.ts`. */
export function spawnApp(entry: string, env: Readonly<Record<string, string>>, options: SpawnAppOptions = {}): App {
  const flags = [...NODE_FLAGS, ...(options.nodeFlags ?? [])];
  const child = spawn(process.execPath, [...flags, `${REPOSITORY}${entry}`, ...(options.args ?? [])], {
    cwd: options.cwd ?? REPOSITORY,
    env: ownEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${entry} could not be started`);
  guardProcess(pid);
  const exit = once(child, 'close').then(([code, signal]): AppExit => {
    unguardProcess(pid);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  const lines = new LineLog(child, entry, options.logFile);
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exit;
  };
  return {
    pid,
    exit,
    log: lines.log,
    get running() {
      return child.exitCode === null && child.signalCode === null;
    },
    output: () => lines.tail,
    waitForLog: (fits, deadlineMs, what) => lines.waitFor(fits, deadlineMs, what ?? 'the log line'),
    kill: () => end('SIGKILL'),
    stop: async (deadlineMs = STOP_DEADLINE_MS) => {
      const force = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
      // A paused process takes no SIGTERM.
      child.kill('SIGCONT');
      return await end('SIGTERM').finally(() => clearTimeout(force));
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  };
}

/** Collects a child's output: JSON lines as events, everything as the tail for messages. */
class LineLog {
  readonly log: LogLine[] = [];
  tail = '';
  #ended = false;
  readonly #entry: string;
  readonly #file: WriteStream | null;
  readonly #watchers = new Set<() => void>();

  constructor(child: ChildProcess, entry: string, logFile?: string) {
    this.#entry = entry;
    this.#file = logFile === undefined ? null : createWriteStream(logFile, { flags: 'a' });
    this.#follow(child.stdout as Readable);
    this.#follow(child.stderr as Readable);
    child.once('close', () => {
      this.#ended = true;
      this.#file?.end();
      this.#wake();
    });
  }

  waitFor(fits: (line: LogLine) => boolean, deadlineMs: number, what: string): Promise<LogLine> {
    const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
    const fail = (why: string) => reject(new Error(`${this.#entry} ${why} ${what}; its output ends:\n${this.tail}`));
    let seen: LogLine | undefined;
    const look = () => {
      // Only lines not looked at before: drills wait on logs of many thousand lines.
      const from = seen === undefined ? 0 : this.log.lastIndexOf(seen) + 1;
      const found = this.log.slice(from).find(fits);
      seen = this.log.at(-1);
      if (found) resolve(found);
      else if (this.#ended) fail('ended before');
    };
    const timer = setTimeout(() => fail(`did not print in ${deadlineMs} ms:`), deadlineMs);
    this.#watchers.add(look);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      this.#watchers.delete(look);
    });
  }

  #follow(stream: Readable): void {
    createInterface({ input: stream }).on('line', (line) => {
      this.tail = `${this.tail}${line}\n`.slice(-OUTPUT_TAIL);
      this.#file?.write(`${line}\n`);
      const parsed = parse(line);
      if (parsed === null) return;
      this.log.push(parsed);
      if (this.log.length > LINES_MAX) this.log.shift();
      this.#wake();
    });
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

function parse(line: string): LogLine | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return null;
  }
}
