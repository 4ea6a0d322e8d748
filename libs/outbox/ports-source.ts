/** The source port: committed rows of a table, read without ever making its application wait. */

/** What one batch may hold, in rows and in bytes; the first row always fits. */
export interface BatchLimits {
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/** A committed row of a source, ready to become a message. */
export interface SourceRow {
  /** Value of the watermark column. */
  readonly position: bigint;
  /** Header `id`: `<source>:<watermark value>` for a watched table. */
  readonly eventId: string;
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Extra headers beyond the fixed ones, or null when there are none. */
  readonly headers: Readonly<Record<string, string>> | null;
}

/** Inclusive on both ends. */
export interface PositionRange {
  readonly from: bigint;
  readonly to: bigint;
}

export interface SourceBatch {
  readonly rows: readonly SourceRow[];
  /** True when a limit cut the batch, so that more rows are likely waiting. */
  readonly full: boolean;
}

/** `locked`: an open transaction holds a row in the range. `rows`: committed rows are there. `empty`: neither. */
export type ProbeOutcome = 'locked' | 'rows' | 'empty';

/** `locks`: the lock probe tells open transactions from rollbacks. `time`: gaps stay open for a configured time. */
export type GapMode = 'locks' | 'time';

/**
 * Mode `consume`: rows leave the table in the transaction that moves them. What is moved is gone, so that the position is only
 * where reading begins: it may go back at any time, and no row is moved twice for it.
 */
export interface RowRemoval {
  /** Lowest committed position, or null when the table is empty. */
  lowestPosition(): Promise<bigint | null>;
  /** Takes rows out within the store's transaction, whose adapter is of the same database. False: not all are there any more. */
  remove(transaction: object, positions: readonly bigint[]): Promise<boolean>;
}

export interface SourceReader {
  readonly gapMode: GapMode;
  /** Present in mode `consume` only. */
  readonly removal?: RowRemoval;
  /** In gap mode `locks`: empty probes prove nothing before they were empty for so long. Absent: as soon as the row is inserted. */
  readonly graceMsMin?: number;
  /** Committed rows with position > after, ascending: a plain read that locks nothing. */
  readAfter(after: bigint, limits: BatchLimits): Promise<SourceBatch>;
  /** Committed rows inside the ranges (ascending, disjoint), ascending: a plain read that locks nothing. */
  readRanges(ranges: readonly PositionRange[], limits: BatchLimits): Promise<SourceBatch>;
  /**
   * Lock probe (only in gap mode `locks`): a locking read that never waits. Several disjoint ranges are probed
   * together: `empty` speaks for all of them, anything else for one of them.
   */
  probe(...ranges: readonly PositionRange[]): Promise<ProbeOutcome>;
  /** Highest committed position, or null when the table is empty. */
  highestPosition(): Promise<bigint | null>;
  /** Lowest position that the table may hand out next, or null where that cannot be told. */
  nextPosition?(): Promise<bigint | null>;
  /** Committed positions in the range, ascending, at most `rowsMax`. */
  positionsIn(range: PositionRange, rowsMax: number): Promise<readonly bigint[]>;
}
