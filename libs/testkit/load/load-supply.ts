/** Where a load's rows go, and where they come from. */
import type { DatabaseAddress } from '../test-environment.ts';

export interface LoadRow {
  readonly key: string;
  /** The values of the table's columns, given the row's number among its key's rows. */
  readonly values: (sequence: number) => readonly unknown[];
}

/** The rows of one connection; null when there are no more. */
export interface LoadSupply {
  next(): LoadRow | null;
  /** A row that the connection replaces and meets as a duplicate, where the mix has such statements. */
  hot?(row: number): LoadRow;
}

export interface LoadTarget extends DatabaseAddress {
  /** The database's name. */
  readonly name: string;
  readonly table: string;
  readonly watermarkColumn: string;
  /** In the order of the rows' values. */
  readonly columns: readonly string[];
  /** A column that an update may change: no oracle reads it. Only for a mix with hot rows. */
  readonly freeColumn?: string;
}
