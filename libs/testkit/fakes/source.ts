/**
 * A source table in memory with transactions: ids are handed out before commit, as AUTO_INCREMENT does, and rows in an open
 * transaction answer the lock probe as locked. For the simulation every call passes a gate before it looks and after, where
 * a test can hold it, crash it, or let other things happen in between.
 */
import type {
  BatchLimits,
  GapMode,
  PositionRange,
  ProbeOutcome,
  RowRemoval,
  SourceBatch,
  SourceReader,
  SourceRow,
} from '#outbox';
import { RelayError } from '#runtime';
import { type CallGate, type FakeCall, gatedCall } from './gated-call.ts';

export interface FakeSourceRow {
  readonly key: string | null;
  readonly body: string;
  /** The reader's topic when absent. */
  readonly topic?: string;
}

interface StoredRow extends FakeSourceRow {
  committed: boolean;
}

const FINISHED = 'the transaction has ended';

export class FakeSourceTransaction {
  readonly #table: FakeSourceTable;
  readonly #rows = new Map<bigint, StoredRow>();
  #ended = false;

  constructor(table: FakeSourceTable) {
    this.#table = table;
  }

  /** Takes ids without a row yet: the instant before the row is locked, when a probe finds nothing. */
  reserve(count: number): readonly bigint[] {
    if (this.#ended) throw new Error(FINISHED);
    return this.#table.takeIds(count);
  }

  /** Puts rows at reserved ids, locked until the end. */
  write(ids: readonly bigint[], rows: readonly FakeSourceRow[]): void {
    if (this.#ended) throw new Error(FINISHED);
    this.#table.touch();
    for (const [index, row] of rows.entries()) {
      const stored = { ...row, committed: false };
      const id = ids[index] as bigint;
      this.#rows.set(id, stored);
      this.#table.rows.set(id, stored);
    }
  }

  insert(rows: readonly FakeSourceRow[]): readonly bigint[] {
    const ids = this.reserve(rows.length);
    this.write(ids, rows);
    return ids;
  }

  commit(): void {
    if (this.#ended) throw new Error(FINISHED);
    this.#ended = true;
    this.#table.touch();
    for (const row of this.#rows.values()) row.committed = true;
  }

  /** The ids stay used. */
  rollback(): void {
    if (this.#ended) throw new Error(FINISHED);
    this.#ended = true;
    this.#table.touch();
    for (const id of this.#rows.keys()) this.#table.rows.delete(id);
  }
}

export class FakeSourceTable {
  /** By id, in no order: rows are written when their transaction gets to it. */
  readonly rows = new Map<bigint, StoredRow>();
  #nextId = 1n;
  #sorted: readonly bigint[] | null = null;
  #committed: readonly bigint[] | null = null;

  begin(): FakeSourceTransaction {
    return new FakeSourceTransaction(this);
  }

  /** Rows are about to come, go or be committed. */
  touch(): void {
    this.#sorted = null;
    this.#committed = null;
  }

  takeIds(count: number): readonly bigint[] {
    const first = this.#nextId;
    this.#nextId += BigInt(count);
    return Array.from({ length: count }, (_, index) => first + BigInt(index));
  }

  /** Mode `consume`: false when one of them is not there. */
  remove(ids: readonly bigint[]): boolean {
    this.touch();
    return ids.map((id) => this.rows.delete(id)).every(Boolean);
  }

  /** Ids of committed rows, ascending: what a test compares deliveries with. */
  committedIds(): readonly bigint[] {
    this.#committed ??= this.idsIn(null).filter((id) => this.rows.get(id)?.committed);
    return this.#committed;
  }

  /** All ids with a row, committed or not, ascending. */
  idsIn(range: PositionRange | null): readonly bigint[] {
    this.#sorted ??= [...this.rows.keys()].sort((a, b) => (a < b ? -1 : 1));
    return range === null ? this.#sorted : this.#sorted.filter((id) => id >= range.from && id <= range.to);
  }
}

export interface FakeSourceReaderOptions {
  readonly table: FakeSourceTable;
  /** Name of the source, first half of the event ids. */
  readonly name: string;
  readonly topic: string;
  readonly gapMode?: GapMode;
  /** Mode `consume`: rows leave the table as they are moved. */
  readonly consumes?: boolean;
  readonly gate?: CallGate;
  /** Instead of the gate: how a call's look comes about, as a whole. */
  readonly call?: FakeCall;
}

export class FakeSourceReader implements SourceReader {
  readonly gapMode: GapMode;
  readonly removal?: RowRemoval;
  readonly #options: FakeSourceReaderOptions;
  readonly #call: FakeCall;

  constructor(options: FakeSourceReaderOptions) {
    this.#options = options;
    this.gapMode = options.gapMode ?? 'locks';
    this.#call = options.call ?? gatedCall('source', options.gate);
    if (options.consumes !== true) return;
    this.removal = {
      lowestPosition: () => this.#call('lowestPosition', () => this.#committed()[0] ?? null),
      remove: async (_transaction, positions) => options.table.remove(positions),
    };
  }

  readAfter(after: bigint, limits: BatchLimits): Promise<SourceBatch> {
    return this.#call('readAfter', () =>
      this.#batch(
        this.#committed().filter((id) => id > after),
        limits,
      ),
    );
  }

  readRanges(ranges: readonly PositionRange[], limits: BatchLimits): Promise<SourceBatch> {
    const inside = (id: bigint) => ranges.some(({ from, to }) => id >= from && id <= to);
    return this.#call('readRanges', () => this.#batch(this.#committed().filter(inside), limits));
  }

  /** Walks in id order as the index does: the first row met decides, none met is `empty`. */
  async probe(...ranges: readonly PositionRange[]): Promise<ProbeOutcome> {
    if (this.gapMode !== 'locks') throw new RelayError('INTERNAL', 'the lock probe is only for gap mode locks');
    return this.#call('probe', () => {
      const { table } = this.#options;
      const first = ranges.flatMap((range) => table.idsIn(range))[0];
      if (first === undefined) return 'empty';
      return table.rows.get(first)?.committed ? 'rows' : 'locked';
    });
  }

  highestPosition(): Promise<bigint | null> {
    return this.#call('highestPosition', () => this.#committed().at(-1) ?? null);
  }

  positionsIn(range: PositionRange, rowsMax: number): Promise<readonly bigint[]> {
    return this.#call('positionsIn', () =>
      this.#committed()
        .filter((id) => id >= range.from && id <= range.to)
        .slice(0, rowsMax),
    );
  }

  #committed(): readonly bigint[] {
    return this.#options.table.committedIds();
  }

  #batch(ids: readonly bigint[], limits: BatchLimits): SourceBatch {
    const rows: SourceRow[] = [];
    let bytes = 0;
    for (const id of ids) {
      const row = this.#row(id);
      bytes += (row.value?.length ?? 0) + (row.key?.length ?? 0);
      if (rows.length > 0 && (rows.length >= limits.rowsMax || bytes > limits.bytesMax)) {
        return { rows, full: true };
      }
      rows.push(row);
    }
    return { rows, full: false };
  }

  #row(id: bigint): SourceRow {
    const { table, name, topic } = this.#options;
    const row = table.rows.get(id) as StoredRow;
    return {
      position: id,
      eventId: `${name}:${id}`,
      topic: row.topic ?? topic,
      key: row.key === null ? null : Buffer.from(row.key),
      value: Buffer.from(`{"id":${id},"k":${JSON.stringify(row.key)},"body":${JSON.stringify(row.body)}}`),
      headers: null,
    };
  }
}
