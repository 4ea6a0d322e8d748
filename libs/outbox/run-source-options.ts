/** What a writer needs to lead a source: ports, settings, and who is told. */
import type { BackoffLimits, Clock, Progress, Random } from '#runtime';
import type { WriterEvent } from './events.ts';
import type { BatchLimits, DeliveredColumn, Doorbell, LeaderElection, SourceReader, WriterStore } from './ports.ts';

export type StartFrom = 'earliest' | 'latest' | bigint;

export interface RunSourceOptions {
  readonly source: string;
  readonly writerId: string;
  readonly lanes: number;
  readonly startFrom: StartFrom;
  readonly store: WriterStore;
  /**
   * Opened for each term, so that a changed table is seen anew; rejects with DB_SCHEMA when the table cannot be read, and with
   * SOURCE_COLUMNS_GONE when one of the columns delivered so far is not there. Null: they are not known.
   */
  readonly openReader: (delivered: readonly DeliveredColumn[] | null) => Promise<SourceReader>;
  /** Markers of the lanes as Kafka has them now, -1 for none; null when they cannot be read in time. Absent: not looked at. */
  readonly readMarkers?: (lanes: readonly number[]) => Promise<ReadonlyMap<number, number> | null>;
  readonly election: LeaderElection;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: BatchLimits;
  /** The longest pause between two polls of an idle source; the pace backs off towards it step by step. */
  readonly pollIntervalMs: number;
  /** By how much an idle writer's looks move apart, up to `pollIntervalMs`; 1.5 when absent. */
  readonly paceGrowth?: number;
  readonly gapGraceMs: (reader: SourceReader) => number;
  /** See `OpenGaps`. */
  readonly gapCostMax?: number;
  readonly backoff: BackoffLimits;
  /** How often a standby asks for the lock; a `leader-gone` ring makes it ask at once. */
  readonly electionIntervalMs: number;
  /** May this process lead one more source now? Lets two writers share sources out; a lone source is always wanted. */
  readonly mayLead: () => boolean;
  /** Should this term be handed over to a writer that leads fewer sources? */
  readonly shouldHandOver: () => boolean;
  /** Whoever wants to know whether rows move looks here. It says nothing while another writer leads. */
  readonly progress?: Progress;
  readonly onEvent: (event: WriterEvent) => void;
}
