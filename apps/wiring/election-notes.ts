/** By what the writers of this process are elected, in words: for the log and `/healthz`. Rows move all the same. */
import type { WriterEvent } from '#outbox';
import { redisRemedy } from '#redis';
import type { Logger } from '#runtime';

export type ElectionEvent = Extract<WriterEvent, { kind: `election-${string}` }>;

/** Cause, effect, and what to do. */
export function explainElection(event: Exclude<ElectionEvent, { kind: 'election-restored' }>): string {
  const why = `Redis gives no usable answer (${event.cause}): ${redisRemedy(event.cause)}`;
  if (event.kind === 'election-fallback') {
    const by = event.by === 'database' ? "the database's lock" : 'the epoch in the database alone';
    return `leads by ${by}; ${why}`;
  }
  if (event.database !== null) {
    return `nobody can be elected by this writer: the database gives no lock either (${event.database}); ${why}`;
  }
  return event.fallbackInMs > 0
    ? `stands by, and asks the database's lock in ${Math.ceil(event.fallbackInMs / 1000)} s; ${why}`
    : `stands by, and asks the database's lock; ${why}`;
}

export function logElection(logger: Logger): (event: ElectionEvent) => void {
  return (event) => {
    const { kind, ...facts } = event;
    if (event.kind === 'election-restored') logger.info({ event: kind, ...facts }, 'Redis elects again');
    else logger.warn({ event: kind, ...facts }, explainElection(event));
  };
}

export interface ElectionNotes {
  note(event: WriterEvent): void;
  /** One line for each source whose election goes on without Redis. */
  lines(): readonly string[];
}

export function createElectionNotes(): ElectionNotes {
  const notes = new Map<string, string>();
  return {
    note: (event) => {
      if (event.kind === 'election-restored') notes.delete(event.source);
      else if (event.kind === 'election-fallback' || event.kind === 'election-waits') {
        notes.set(event.source, `source ${event.source}: ${explainElection(event)}`);
      }
    },
    lines: () => [...notes.values()],
  };
}
