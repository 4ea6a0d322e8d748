/**
 * The source port on a table in memory. For the simulation every call passes a gate before it looks and after, where a test can hold it,
 * crash it, or let other things happen in between.
 */
import type {
  BatchLimits,
  DeliveredColumn,
  GapMode,
  PositionMask,
  PositionRange,
  RowRemoval,
  SourceBatch,
  SourceReader,
  SourceRow,
  SourceSnapshot,
  TableMark,
  TransactionList,
} from '#outbox';
import { isIn } from '#outbox';
import { type CallGate, type FakeCall, gatedCall } from './gated-call.ts';
import type { FakeSourceTable, StoredRow } from './source-table.ts';

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
      committedIn: (ranges, rowsMax) => this.#call('committedIn', () => inRanges(ids, ranges, rowsMax)),
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

  get columns(): readonly DeliveredColumn[] {
    return this.#options.table.columns;
  }

  nextPosition(): Promise<bigint | null> {
    return this.#call('nextPosition', () => this.#options.table.nextId);
  }

  tableMark(): Promise<TableMark | null> {
    const { table } = this.#options;
    return this.#call('tableMark', () => ({
      data: { '': String(table.dataId) },
      definition: String(table.definition),
      definitionStays: true,
      settled: true,
    }));
  }

  lowestIn(_partition: string): Promise<bigint | null> {
    return this.#call('lowestIn', () => this.#committed()[0] ?? null);
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
