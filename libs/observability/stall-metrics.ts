/** Rows that wait and do not move: for how long, how many parts, and why. Causes are a closed set, and so are the labels. */
import { STALL_CAUSES, type StallCause } from '#runtime';
import type { Role } from './fault-metrics.ts';
import type { Instruments } from './instruments.ts';

export interface StallMetrics {
  /** How long rows have been waiting without one that moved; 0 while rows move, or none waits. */
  standing(role: Role, ms: number): void;
  /** What stands now. */
  stalled(causes: readonly StallCause[]): void;
  /** One more part stands. */
  began(cause: StallCause): void;
}

const CAUSES = Object.keys(STALL_CAUSES) as readonly StallCause[];

export function createStallMetrics(make: Instruments, roles: Readonly<Record<Role, boolean>>): StallMetrics {
  const standing = make.gauge(
    'standing_seconds',
    'Time since rows wait without one that moved; 0: they move, or none waits',
    ['role'],
  );
  const stalled = make.gauge(
    'stalled_parts',
    'Parts (sender, sources, lanes, topics) whose rows wait and do not move',
    ['cause'],
  );
  const began = make.counter('stalls_total', 'Times that a part began to stand', ['cause']);
  for (const role of ['writer', 'sender'] as const) if (roles[role]) standing.set({ role }, 0);
  // Shown from the start, so that the first one is an increase and not a new series.
  for (const cause of CAUSES) {
    stalled.set({ cause }, 0);
    began.inc({ cause }, 0);
  }
  return {
    standing: (role, ms) => standing.set({ role }, ms / 1000),
    stalled: (causes) => {
      for (const cause of CAUSES) stalled.set({ cause }, causes.filter((each) => each === cause).length);
    },
    began: (cause) => began.inc({ cause }),
  };
}
