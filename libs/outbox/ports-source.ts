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
  /** Present: only the positions with (position - from) % period < width, and `to` is the last of them. */
  readonly comb?: { readonly period: bigint; readonly width: bigint };
}

/** Positions from `first` to `last`, each of which counts only if its bit is set: bit 0 of byte 0 is that of `first`. */
export interface PositionMask {
  readonly first: bigint;
  readonly last: bigint;
  readonly bits: Buffer;
}

export interface SourceBatch {
  readonly rows: readonly SourceRow[];
  /** True when a limit cut the batch, so that more rows are likely waiting. */
  readonly full: boolean;
}

/**
 * How it is told that a missing position will never be a row.
 * `transactions`: the server lists its running transactions; every owner of a position is among them.
 * `locks`: uncommitted rows can be seen; a position whose statement has not put its row there within the grace is given up.
 * `time`: only the grace tells.
 * `ordered`: transactions that write take turns, so that a position below one that was seen is never late (SQLite).
 */
export type GapMode = 'transactions' | 'locks' | 'time' | 'ordered';

/** A transaction that may own positions: it holds a lock, or has written. */
export interface RunningTransaction {
  /** The server's number of the connection; null when it has none any more, as a prepared XA transaction. */
  readonly connection: string | null;
  /** As the server writes it; only compared. */
  readonly startedAt: string;
  /** The storage engine's number, unique for ever; null before the transaction has written. */
  readonly id: string | null;
}

export interface TransactionList {
  /** Which server answered; only compared. */
  readonly server: string;
  readonly transactions: readonly RunningTransaction[];
}

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

/** A column whose values go out. */
export interface DeliveredColumn {
  /** As the table has it: a change of letter case is a change of the JSON. */
  readonly name: string;
  /** The database's name of the type, for the log line that says that it changed. */
  readonly type: string;
}

/**
 * What tells a table from another one of its name. `data` changes when the rows are put into a new place: by TRUNCATE, by DROP
 * and CREATE, by a rename, and by an ALTER TABLE that rebuilds. `definition` changes with every ALTER TABLE, CREATE and rename.
 */
export interface TableMark {
  /** By name of the partition, '' for a table without any; null where this user may not see it. */
  readonly data: Readonly<Record<string, string>> | null;
  /** Null where the server does not say. */
  readonly definition: string | null;
  /** TRUNCATE and an exchange of partitions leave `definition` as it is, and nothing else that changes `data` does. */
  readonly definitionStays: boolean;
  /** False as long as another change of the definition could come within its resolution in time. */
  readonly settled: boolean;
}

/** Reads as of one moment, whatever is committed meanwhile. */
export interface SourceSnapshot {
  /** Committed rows inside the ranges (ascending, disjoint), ascending: a plain read that locks nothing. */
  readRanges(ranges: readonly PositionRange[], limits: BatchLimits): Promise<SourceBatch>;
  /** Committed positions in the ranges (ascending, disjoint), ascending, at most `rowsMax`. */
  committedIn(ranges: readonly PositionRange[], rowsMax: number): Promise<readonly bigint[]>;
  /** Committed positions that the mask counts, ascending. */
  committedOf(mask: PositionMask): Promise<readonly bigint[]>;
}

export interface SourceReader {
  readonly gapMode: GapMode;
  /** The grace that the gap mode needs here, in milliseconds, where no setting says otherwise. */
  readonly graceMs: number;
  /** The server that what this reader has found out is true of; only compared. Null or absent: it does not depend on one. */
  readonly server?: string | null;
  /** Columns delivered now; grows when the table gets one. Absent: rows are not made of columns that could go. */
  readonly columns?: readonly DeliveredColumn[];
  /** Present in mode `consume` only. */
  readonly removal?: RowRemoval;
  /** Committed rows with position > after, ascending: a plain read that locks nothing. */
  readAfter(after: bigint, limits: BatchLimits): Promise<SourceBatch>;
  /** Lends a snapshot of the moment of the call to `work`. */
  inSnapshot<T>(work: (snapshot: SourceSnapshot) => Promise<T>): Promise<T>;
  /**
   * Gap mode `transactions` only: all transactions that may own positions and ran at some moment after the call; the list has
   * proven that it is not older. Null: the server gave no fresh list in time.
   */
  listTransactions?(): Promise<TransactionList | null>;
  /** Highest committed position, or null when the table is empty. */
  highestPosition(): Promise<bigint | null>;
  /** Committed positions in the ranges (ascending, disjoint), ascending, at most `rowsMax`. */
  committedIn(ranges: readonly PositionRange[], rowsMax: number): Promise<readonly bigint[]>;
  /** Gap mode `locks` only: positions in the ranges that have a row, committed or not, ascending, at most `rowsMax`. */
  presentIn?(ranges: readonly PositionRange[], rowsMax: number): Promise<readonly bigint[]>;
  /**
   * The id that the table hands out next: at or below the position it would be a row that nobody reads. Null: the database does
   * not say. This method and the two below are absent where rows leave the table as they are moved: there, ids may begin anew.
   */
  nextPosition?(): Promise<bigint | null>;
  /** Null where nothing tells the table from another one of its name. */
  tableMark?(): Promise<TableMark | null>;
  /** Lowest committed position in a partition, '' for the whole table; null when it is empty. */
  lowestIn?(partition: string): Promise<bigint | null>;
}
