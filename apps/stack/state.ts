/** What `stack up` remembers: which processes are the servers, and how to reach them. */
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const STACK_DIR = fileURLToPath(new URL('../../.stack', import.meta.url));
const STATE_FILE = join(STACK_DIR, 'state.json');

export interface StackPorts {
  readonly database: number;
  readonly redis: number;
  readonly kafka: number;
}

export interface StackState {
  readonly pids: readonly number[];
  readonly ports: StackPorts;
  /** The KRS_TEST_* variables. */
  readonly variables: Readonly<Record<string, string>>;
}

export function readState(): StackState | null {
  return existsSync(STATE_FILE) ? (JSON.parse(readFileSync(STATE_FILE, 'utf8')) as StackState) : null;
}

export function writeState(state: StackState): void {
  mkdirSync(STACK_DIR, { recursive: true });
  writeFileSync(STATE_FILE, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
}

/** With all the servers' data. */
export const removeStack = (): void => rmSync(STACK_DIR, { recursive: true, force: true, maxRetries: 5 });

/** Ours and running: a process id may long be somebody else's, but only our servers work inside our folder. */
export function isOurs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc/self/cwd') || readlinkSync(`/proc/${pid}/cwd`).startsWith(STACK_DIR);
  } catch {
    return false;
  }
}
