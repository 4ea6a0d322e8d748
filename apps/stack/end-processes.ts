/** Ends servers that an earlier command left running: they are not our children, so their end has to be looked for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isOurs } from './state.ts';

const LOOK_EVERY_MS = 50;
const TERM_DEADLINE_MS = 20_000;
const KILL_DEADLINE_MS = 10_000;

/** SIGTERM to those that are still ours, SIGKILL to those that do not go; resolves when all are gone. */
export async function endProcesses(pids: readonly number[]): Promise<void> {
  for (const [signal, deadlineMs] of [
    ['SIGTERM', TERM_DEADLINE_MS],
    ['SIGKILL', KILL_DEADLINE_MS],
  ] as const) {
    for (const pid of pids.filter(isOurs)) process.kill(pid, signal);
    const deadline = performance.now() + deadlineMs;
    while (pids.some(isOurs) && performance.now() < deadline) await sleep(LOOK_EVERY_MS);
  }
  const left = pids.filter(isOurs);
  if (left.length > 0) throw new Error(`processes ${left.join(', ')} do not end`);
}
