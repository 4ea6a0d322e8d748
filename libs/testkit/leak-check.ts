/** Fails a test file that leaves sockets, servers, child processes or timers open: `failOnLeaks()` once at its top. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';

/** What keeps a process alive and is ours to close; the runner's own pipes are none of them. */
const WATCHED = ['TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'ProcessWrap', 'Timeout', 'FSEventWrap'];
const SETTLE_DEADLINE_MS = 3_000;
const SETTLE_PAUSE_MS = 50;

function open(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (WATCHED.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** Kinds of which more are open than before, as `2 TCPSocketWrap`. */
function leaked(before: ReadonlyMap<string, number>): string[] {
  return [...open()]
    .filter(([kind, count]) => count > (before.get(kind) ?? 0))
    .map(([kind, count]) => `${count - (before.get(kind) ?? 0)} ${kind}`);
}

export function failOnLeaks(): void {
  const before = open();
  after(async () => {
    const deadline = performance.now() + SETTLE_DEADLINE_MS;
    // A closed socket is gone only some turns later.
    while (leaked(before).length > 0 && performance.now() < deadline) {
      await sleep(SETTLE_PAUSE_MS);
      await turn();
    }
    assert.deepEqual(leaked(before), [], 'this test file leaves handles open');
  });
}
