/**
 * A source table in memory with transactions: ids are handed out before commit, as AUTO_INCREMENT does. A transaction may own ids
 * without rows, wait, put rows in, take them out again and go on; it shows in the list of transactions an instant after it got its
 * first id, and rows that are not committed can be seen by who asks for them. For the simulation every call passes a gate before it looks and after, where
 * a test can hold it, crash it, or let other things happen in between.
 */
import type {
  BatchLimits,
  GapMode,
  PositionMask,
  PositionRange,
  RowRemoval,
  SourceBatch,
  SourceReader,
  SourceRow,
  SourceSnapshot,
  TransactionList,
} from '#outbox';
import { isIn } from '#outbox';
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
  readonly #number: number;
  #ended = false;

  constructor(table: FakeSourceTable, number: number) {
    this.#table = table;
    this.#number = number;
  }

  /** As the list of transactions names it. */
  get connection(): string {
    return `${this.#number}`;
  }

  /** Takes ids without a row yet, in the instant before the transaction shows: nobody can tell that it owns them. */
  reserve(count: number): readonly bigint[] {
    if (this.#ended) throw new Error(FINISHED);
    return this.#table.takeIds(count);
  }

  /** From here on the transaction is listed. */
  show(): void {
    if (this.#ended) throw new Error(FINISHED);
    this.#table.running.add(this.#number);
  }

  /** Puts rows at reserved ids. */
  write(ids: readonly bigint[], rows: readonly FakeSourceRow[]): void {
    this.show();
    this.#table.touch();
    for (const [index, row] of rows.entries()) {
      const stored = { ...row, committed: false };
      const id = ids[index] as bigint;
      this.#rows.set(id, stored);
      this.#table.rows.set(id, stored);
    }
  }

  /** Takes rows of its own out again, as a statement that met a duplicate key does; their ids stay its own. */
  undo(ids: readonly bigint[]): void {
    this.#table.touch();
    for (const id of ids) {
      this.#rows.delete(id);
      this.#table.rows.delete(id);
    }
  }

  insert(rows: readonly FakeSourceRow[]): readonly bigint[] {
    const ids = this.reserve(rows.length);
    this.write(ids, rows);
    return ids;
  }

  commit(): void {
    if (this.#ended) throw new Error(FINISHED);
    this.#end();
    for (const row of this.#rows.values()) row.committed = true;
  }

  /** The ids stay used. */
  rollback(): void {
    if (this.#ended) throw new Error(FINISHED);
    this.#end();
    for (const id of this.#rows.keys()) this.#table.rows.delete(id);
  }

  #end(): void {
    this.#ended = true;
    this.#table.touch();
    this.#table.running.delete(this.#number);
  }
}

export class FakeSourceTable {
  /** By id, in no order: rows are written when their transaction gets to it. */
  readonly rows = new Map<bigint, StoredRow>();
  /** Transactions that are listed. */
  readonly running = new Set<number>();
  #begun = 0;
  #nextId = 1n;
  readonly #step: bigint;
  #sorted: readonly bigint[] | null = null;
  #committed: readonly bigint[] | null = null;

  /** `step`: how far apart ids are handed out, as auto_increment_increment does. */
  constructor(step = 1) {
    this.#step = BigInt(step);
  }

  begin(): FakeSourceTransaction {
    this.#begun += 1;
    return new FakeSourceTransaction(this, this.#begun);
  }

  /** Rows are about to come, go or be committed. */
  touch(): void {
    this.#sorted = null;
    this.#committed = null;
  }

  takeIds(count: number): readonly bigint[] {
    const first = this.#nextId;
    this.#nextId += BigInt(count) * this.#step;
    return Array.from({ length: count }, (_, index) => first + BigInt(index) * this.#step);
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
  readonly graceMs?: number;
  /** Mode `consume`: rows leave the table as they are moved. */
  readonly consumes?: boolean;
  readonly gate?: CallGate;
  /** Instead of the gate: how a call's look comes about, as a whole. */
  readonly call?: FakeCall;
}

export class FakeSourceReader implements SourceReader {
  readonly gapMode: GapMode;
  readonly graceMs: number;
  readonly removal?: RowRemoval;
  readonly #options: FakeSourceReaderOptions;
  readonly #call: FakeCall;

  constructor(options: FakeSourceReaderOptions) {
    this.#options = options;
    this.gapMode = options.gapMode ?? 'transactions';
    this.graceMs = options.graceMs ?? 0;
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

  async inSnapshot<T>(work: (snapshot: SourceSnapshot) => Promise<T>): Promise<T> {
    const ids = await this.#call('beginSnapshot', () => this.#committed());
    return work({
      readRanges: (ranges, limits) =>
        this.#call('readRanges', () =>
          this.#batch(
            ids.filter((id) => ranges.some((range) => isIn(range, id))),
            limits,
          ),
        ),
      committedOf: (mask) => this.#call('committedOf', () => ids.filter((id) => isCounted(mask, id))),
    });
  }

  listTransactions(): Promise<TransactionList | null> {
    return this.#call('listTransactions', () => ({
      server: 'fake',
      transactions: [...this.#options.table.running].map((number) => ({
        connection: `${number}`,
        startedAt: `${number}`,
        id: `${number}`,
      })),
    }));
  }

  highestPosition(): Promise<bigint | null> {
    return this.#call('highestPosition', () => this.#committed().at(-1) ?? null);
  }

  committedIn(ranges: readonly PositionRange[], rowsMax: number): Promise<readonly bigint[]> {
    return this.#call('committedIn', () => inRanges(this.#committed(), ranges, rowsMax));
  }

  presentIn(ranges: readonly PositionRange[], rowsMax: number): Promise<readonly bigint[]> {
    return this.#call('presentIn', () => inRanges(this.#options.table.idsIn(null), ranges, rowsMax));
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

const inRanges = (ids: readonly bigint[], ranges: readonly PositionRange[], rowsMax: number): readonly bigint[] =>
  ids.filter((id) => ranges.some((range) => isIn(range, id))).slice(0, rowsMax);

function isCounted({ first, last, bits }: PositionMask, id: bigint): boolean {
  if (id < first || id > last) return false;
  const at = Number(id - first);
  return (((bits[at >> 3] as number) >> (at & 7)) & 1) === 1;
}
