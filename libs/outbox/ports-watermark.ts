/** What is kept of a source: how far it was moved, its open gaps, what its table looked like, and whether it is halted. */
import type { DeliveredColumn, TableMark } from './ports-source.ts';

/** Some open gaps of a source as they are stored: a row each, so that an append writes only those that it changed. */
export interface GapPage {
  /** Names the page; at or below its first position. */
  readonly page: bigint;
  readonly first: bigint;
  readonly last: bigint;
  /** How many positions are missing. */
  readonly missing: bigint;
  /** How many ranges they are. */
  readonly ranges: number;
  /** The ranges, as `encodeRanges` writes them. */
  readonly detail: string;
}

export interface StoredGapPage extends GapPage {
  /** Since it was first stored, by the database's clock. */
  readonly ageMs: number;
}

/** Pages to write anew or over, and pages to delete. */
export interface GapChanges {
  readonly put: readonly GapPage[];
  readonly drop: readonly bigint[];
}

/** `halted`: no writer leads the source until an operator accepts what halted it. */
export type SourceState = 'running' | 'halted';

/**
 * Ids of a table that was emptied or made anew come a second time. Each time that an operator lets reading go back, a new
 * incarnation begins: its rows lie above `after`, and what rows of an earlier one lay there are gone from the table.
 */
export interface Incarnation {
  /** From 1 on. */
  readonly number: number;
  readonly after: bigint;
}

/** What the watermark row of a source says. */
export interface WatermarkState {
  readonly source: string;
  /** Every row at or below it has been moved, except those inside the open gaps. */
  readonly position: bigint;
  /** The sequence number the next outbox row of this source gets; starts at 1. */
  readonly nextSequence: number;
  /** The fence: only the writer that raised it to this value may commit. */
  readonly epoch: number;
  readonly leader: string | null;
  readonly state: SourceState;
  /** Code of the fault that halted the source; null while it runs. */
  readonly cause: string | null;
  /** One line for the operator; null while the source runs. */
  readonly why: string | null;
  /** Ascending; empty: the first one only. */
  readonly incarnations: readonly Incarnation[];
}

/** A row moved some time ago: enough to know it again. */
export interface SampledRow {
  readonly position: bigint;
  /** A short hash of the key; null without a key. */
  readonly key: string | null;
  /** Short hashes of the values of `TableSample.columns`, in that order. */
  readonly hashes: readonly string[];
}

export interface TableSample {
  readonly columns: readonly string[];
  /** Ascending. */
  readonly rows: readonly SampledRow[];
}

/** What was last seen of a source's table, so that a writer that comes later notices what has changed. */
export interface TableFacts {
  /** Null: not known yet. */
  readonly columns: readonly DeliveredColumn[] | null;
  readonly mark: TableMark | null;
  readonly sample: TableSample | null;
  /** The highest next id ever seen in this incarnation; null: not seen. */
  readonly next: bigint | null;
}

export interface SourceHalt {
  readonly source: string;
  readonly epoch: number;
  readonly cause: string;
  readonly why: string;
}

/** An operator's word on a halted source. */
export interface SourceAcceptance {
  readonly source: string;
  /** As it was seen halted: if it has changed since, nothing happens. */
  readonly epoch: number;
  readonly position: bigint;
  readonly gaps: GapChanges;
  readonly incarnations: readonly Incarnation[];
  readonly facts: TableFacts;
}
