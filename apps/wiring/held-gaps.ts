/** Gaps that stay open for long, in words: for the log and `/healthz`. Rows are moved past them, so that they make nobody unhealthy. */
import type { WriterEvent } from '#outbox';

export type HeldEvent = Extract<WriterEvent, { kind: 'gaps-held' }>;

/** Without a transaction to name, gaps stay open for a minute in modes `locks` and `time`, as a rule. */
const UNNAMED_FROM_MS = 120_000;

/** Whether gaps are open, or the list of transactions is stale, for so long that somebody should know. */
export function isHeldFor({ holders, oldestMs, staleMs }: HeldEvent, ms: number): boolean {
  return staleMs >= ms || oldestMs >= (holders > 0 ? ms : Math.max(ms, UNNAMED_FROM_MS));
}

/** Cause, effect, and what to do. `staleFromMs`: a list of transactions that is older than that is the cause. */
export function explainHeld({ connection, since, holders, staleMs }: HeldEvent, staleFromMs: number): string {
  const effect = 'missing ids stay open; rows are moved all the same';
  if (staleMs >= staleFromMs) {
    return `the server shows no fresh list of its transactions: ${effect}; stop the program that reads information_schema.innodb_trx more than ten times a second`;
  }
  if (holders === 0) return `the grace has not ended, or a row there is not committed: ${effect}`;
  if (connection === null) {
    return `a prepared XA transaction has been open since ${since}: ${effect}; find it with XA RECOVER, then XA COMMIT or XA ROLLBACK it`;
  }
  return `the transaction of connection ${connection} has been open since ${since}: ${effect}; end it if it was forgotten (KILL ${connection})`;
}

export interface HeldGaps {
  note(event: WriterEvent): void;
  /** One line for each source whose gaps are held for more than a minute. */
  lines(): readonly string[];
}

const HELD_MS = 60_000;

/** What `/healthz` tells of the sources that this process leads. */
export function createHeldGaps(): HeldGaps {
  const held = new Map<string, HeldEvent>();
  return {
    note: (event) => {
      if (event.kind === 'term-ended' || event.kind === 'source-halted') held.delete(event.source);
      if (event.kind !== 'gaps-held') return;
      if (event.ranges > 0) held.set(event.source, event);
      else held.delete(event.source);
    },
    lines: () =>
      [...held.values()]
        .filter((event) => isHeldFor(event, HELD_MS))
        .map((event) => {
          const ids = `${event.missing} missing id${event.missing === 1n ? '' : 's'}, the oldest for ${Math.floor(event.oldestMs / 1_000)} s`;
          return `source ${event.source}: ${ids}: ${explainHeld(event, HELD_MS)}`;
        }),
  };
}
