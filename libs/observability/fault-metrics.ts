/** Faults that both roles know, told apart by a label. */
import type { ErrorCode } from '#runtime';
import type { Instruments } from './instruments.ts';

export type Role = 'writer' | 'sender';

export interface FaultMetrics {
  /** An attempt failed and is repeated. */
  retry(role: Role, code: ErrorCode): void;
  /** Somebody else had taken over. */
  fenced(role: Role): void;
}

export function createFaultMetrics(make: Instruments, roles: Readonly<Record<Role, boolean>>): FaultMetrics {
  const retries = make.counter('retries_total', 'Attempts that failed and are repeated', ['role', 'code']);
  const fenced = make.counter('fenced_total', 'Times somebody else had taken over', ['role']);
  // Shown from the start, so that the first one is an increase and not a new series.
  for (const role of ['writer', 'sender'] as const) if (roles[role]) fenced.inc({ role }, 0);
  return {
    retry: (role, code) => retries.inc({ role, code }),
    fenced: (role) => fenced.inc({ role }),
  };
}
