/**
 * A source table in memory with transactions: ids are handed out before commit, as AUTO_INCREMENT does. A transaction may own ids
 * without rows, wait, put rows in, take them out again and go on; it shows in the list of transactions an instant after it got its
 * first id. The table can be emptied, cut and given columns, as an administrator does.
 */
import type { DeliveredColumn, PositionRange } from '#outbox';

export interface FakeSourceRow {
  readonly key: string | null;
  readonly body: string;
  /** The reader's topic when absent. */
  readonly topic?: string;
}

export interface StoredRow extends FakeSourceRow {
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
  /** Another one after TRUNCATE or a rebuild. */
  dataId = 1;
  /** Another one after an ALTER TABLE. */
  definition = 1;
  columns: readonly DeliveredColumn[] = ['id', 'k', 'body'].map((name) => ({ name, type: 'text' }));
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

  get nextId(): bigint {
    return this.#nextId;
  }

  /** TRUNCATE. */
  truncate(): void {
    this.touch();
    this.rows.clear();
    this.#nextId = 1n;
    this.dataId += 1;
  }

  /** DELETE of all rows from `next` on, and AUTO_INCREMENT lowered to it. */
  cut(next: bigint): void {
    this.touch();
    for (const id of this.rows.keys()) if (id >= next) this.rows.delete(id);
    this.#nextId = next;
    this.definition += 1;
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
