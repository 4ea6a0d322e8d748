/** What a fault of the drill is: how to do it, how to undo it, and what is expected of the relay meanwhile. */
import type { Scene } from './scene.ts';
import type { StageName } from './stages/stage.ts';

/** What a fault takes hold of; two at once never share one. */
export type Target = 'writers' | 'senders' | 'redis' | 'kafka' | 'database' | 'source';

export interface Injection {
  /** Who or what was hit, for the log. */
  readonly detail: string;
  /** Processes of ours ended by SIGKILL. */
  readonly kills?: number;
  /** How long it stays before it is healed. */
  readonly holdMs?: number;
  /** How long rows that nothing ailed were awaited while it lasted, each time they were. */
  readonly flowedMs?: readonly number[];
  readonly heal?: () => Promise<void>;
}

export interface Fault {
  readonly name: string;
  /** A sentence for the report: what is done. */
  readonly what: string;
  /** A sentence for the report: what the relay makes of it, beside delivering every row once and in order. */
  readonly expected: string;
  readonly targets: readonly Target[];
  /** Where it can be done; `plain` unless given. */
  readonly stage?: StageName;
  /** How often it comes in a bag of all faults; 1 unless given. */
  readonly weight?: number;
  /** A process that starts while it lasts may end with 3, since a server it needs is away. */
  readonly startMayFail?: boolean;
  /** A process may end with this code because of it, and is started again. */
  readonly mayEndWith?: number;
  /** Throws when it could not be done, or when what is expected did not happen. */
  inject(scene: Scene): Promise<Injection>;
}

/** Of a fault that is not to be paired with any: the rows that flow while it lasts are awaited. */
export const ALL_TARGETS: readonly Target[] = ['writers', 'senders', 'redis', 'kafka', 'database', 'source'];

/** Of the settings every scene has. */
export const LOCK_TTL_MS = 3_000;
export const LEASE_MS = 5_000;
export const SHUTDOWN_MS = 10_000;
