/** What a seed stands for: plain data, so that a failing scenario can be cut down piece by piece and printed. */
import type { RowFaultPolicy } from '#outbox';

/** What a simulated process calls. */
export type PortName = 'source' | 'store' | 'kafka' | 'lock';

/** What is held back ends after `ms` at the latest, or shortly after another process has passed the gate `until`. */
export interface Hold {
  readonly ms: number;
  readonly until: string | null;
}

export type ProcessFault =
  /** `ghost`: the request under way arrives all the same, perhaps much later. */
  | ({ readonly kind: 'crash'; readonly ghost: boolean } & Hold)
  /** Longer or shorter than every lease. `ghost`: stopped before the request left. */
  | ({ readonly kind: 'stop'; readonly ghost: boolean } & Hold)
  /** Before the effect: it does not happen; after it: the reply is lost. */
  | { readonly kind: 'fail' }
  /** The caller gives up, and the effect happens later. */
  | ({ readonly kind: 'late' } & Hold);

/** Strikes when the process passes the gate (any gate: null) for the `pass`th time, all its lives counted together. */
export type PlacedFault = ProcessFault & {
  readonly process: string;
  readonly gate: string | null;
  readonly pass: number;
};

export interface Restart {
  readonly process: string;
  readonly atMs: number;
  /** SIGTERM, then a new life `downMs` later; null: it stays away. */
  readonly downMs: number | null;
}

export type WorldFault =
  | {
      readonly kind: 'away';
      readonly what: 'db' | 'kafka' | 'lock' | 'bell';
      readonly atMs: number;
      readonly forMs: number;
    }
  | { readonly kind: 'lock-flush' | 'markers-expire'; readonly atMs: number }
  /**
   * A broker is stopped under load and loses commits that it had acknowledged: all of what has not settled, or, where `torn`
   * seeds the dice, in each partition another part of it. With a moment: right after somebody has passed it, not before `atMs`.
   */
  | {
      readonly kind: 'commits-lost';
      readonly atMs: number;
      readonly torn: number | null;
      readonly until: string | null;
    }
  /** Rings from outside, as background jobs and operators send them, right or wrong. */
  | { readonly kind: 'rings'; readonly atMs: number }
  /** The database's clock is set forward or back. */
  | { readonly kind: 'db-clock'; readonly atMs: number; readonly byMs: number }
  | { readonly kind: 'lock-steal'; readonly atMs: number; readonly source: string }
  /** The lock service is away for one writer, or for all (null); `forMs` null: for good, also in a healed world. */
  | { readonly kind: 'no-lock'; readonly writer: string | null; readonly atMs: number; readonly forMs: number | null }
  | {
      readonly kind: 'topic-missing' | 'topic-forbidden';
      readonly topic: string;
      readonly atMs: number;
      readonly forMs: number;
    }
  /** A partition has no leader; `announced`: the metadata says so. */
  | {
      readonly kind: 'partition-away';
      readonly topic: string;
      readonly partition: number;
      readonly announced: boolean;
      readonly atMs: number;
      readonly forMs: number;
      /** With a moment: right after somebody has passed it, not before `atMs`. */
      readonly until: string | null;
    };

export interface ScenarioRow {
  readonly key: string | null;
  readonly topic: string;
  /** Refused by the broker: never, until `curesAtMs`, or for good. */
  readonly poison: 'no' | 'for-a-while' | 'forever';
}

export interface Statement {
  readonly afterMs: number;
  /** From taking the ids to showing in the list of transactions. */
  readonly hiddenMs: number;
  /** From there on to its rows: it waits for a lock, or for an expression. */
  readonly waitMs: number;
  /** Its first row meets a duplicate key: it is put in, taken out half-way, and never comes again. */
  readonly undoesFirst: boolean;
  readonly rows: readonly ScenarioRow[];
}

export interface Transaction {
  readonly source: string;
  readonly atMs: number;
  readonly statements: readonly Statement[];
  readonly endAfterMs: number;
  readonly commits: boolean;
}

export interface ScenarioSource {
  readonly name: string;
  readonly lanes: number;
  readonly gapMode: 'transactions' | 'locks' | 'time';
  /** Ids are handed out so far apart. */
  readonly idStep: number;
  readonly gapGraceMs: number;
  readonly startFrom: 'earliest' | 'latest';
  /** Mode `consume`; absent: rows stay. */
  readonly consumes?: boolean;
}

export interface Scenario {
  readonly seed: number;
  readonly sources: readonly ScenarioSource[];
  readonly writers: readonly string[];
  readonly senders: readonly string[];
  /** Gives a restarted sender the transactional id of its former life. */
  readonly keepsIds: boolean;
  /** Writers give sources to each other, as those that share several do. */
  readonly handsOver: boolean;
  /** How long the lock service is silent before the database elects. */
  readonly fallbackAfterMs: number;
  readonly policy: RowFaultPolicy;
  readonly retriesMax: number;
  readonly parkedKeysMax: number;
  readonly writerRowsMax: number;
  readonly senderRowsMax: number;
  readonly trimRowsMax: number;
  readonly targetPatienceMs: number;
  readonly waitingRowsMax: number;
  /** Look-ups that a step spends on gaps without a list. */
  readonly gapCostMax: number;
  readonly markerRefreshMs: number;
  /** False: the at-least-once mode, in which rows may come twice and out of order, but never get lost. */
  readonly transactional: boolean;
  readonly partitions: number;
  readonly latencyMs: number;
  /** Share of the gates that are passed in no time: where most are, what is slow stands out. */
  readonly haste: number;
  readonly faultChance: number;
  readonly ringLoss: number;
  readonly healAtMs: number;
  /** From here on the broker takes what it refused `for-a-while`. */
  readonly curesAtMs: number;
  readonly transactions: readonly Transaction[];
  readonly faults: readonly PlacedFault[];
  readonly restarts: readonly Restart[];
  readonly world: readonly WorldFault[];
}

export const TOPICS = ['events', 'others'] as const;

/** Kinds of scenes, for the faults that go with them. */
export type Theme = 'any' | 'take-over' | 'poison' | 'writers' | 'torn' | 'lock' | 'targets';
