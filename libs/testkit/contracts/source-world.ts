/** What the source contract is run on: a table of rows with its transactions, and its reader. */
import type { BatchLimits, PositionRange, SourceBatch, SourceReader } from '#outbox';

export interface ContractRow {
  readonly key: string | null;
  readonly body: string;
}

export interface SourceTransaction {
  /** As the list of transactions names it. */
  readonly connection: string;
  /** One INSERT; resolves to the ids of the rows, in order. */
  insert(rows: readonly ContractRow[]): Promise<readonly bigint[]>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** A transaction whose statement has its id and waits: there is no row of it yet. */
export interface WaitingTransaction {
  readonly connection: string;
  /** The statement goes on, and the transaction commits; resolves to the id. */
  finish(): Promise<bigint>;
}

/** A fresh, empty source table (id, k, body) whose key column is k, and its reader. */
export interface SourceWorld {
  /** Name `contract`, topic `events`. */
  readonly reader: SourceReader;
  begin(): Promise<SourceTransaction>;
  /** Absent where transactions that write take turns. */
  wait?(): Promise<WaitingTransaction>;
  close(): Promise<void>;
}

export interface SourceHarness {
  readonly name: string;
  /** Transactions that write take turns (SQLite), so that none is ever late. */
  readonly oneWriter?: boolean;
  open(): Promise<SourceWorld>;
}

export const WIDE: BatchLimits = { rowsMax: 100_000, bytesMax: 64_000_000 };

export const numbered = (count: number): ContractRow[] =>
  Array.from({ length: count }, (_, index) => ({ key: `key-${index % 7}`, body: `row ${index}` }));

export const readRanges = (
  reader: SourceReader,
  ranges: readonly PositionRange[],
  limits: BatchLimits,
): Promise<SourceBatch> => reader.inSnapshot((snapshot) => snapshot.readRanges(ranges, limits));

export const positions = (batch: SourceBatch): bigint[] => batch.rows.map((row) => row.position);

export async function insertCommitted(world: SourceWorld, rows: readonly ContractRow[]): Promise<readonly bigint[]> {
  const transaction = await world.begin();
  const ids = await transaction.insert(rows);
  await transaction.commit();
  return ids;
}

export type Check = (title: string, body: (world: SourceWorld) => Promise<void>) => void;
