/**
 * The oracle of a load with ids without rows: what the table holds in the end is in the topic once each, what was replaced or
 * deleted once at most, what was rolled back never, each key in order (I5), outbox ids without a hole.
 */
import { TOKEN, type TransactionBook } from './transaction-book.ts';

const EXAMPLES_MAX = 8;
const LANE_SPAN = 2 ** 43;

/** A row of the table in the end. */
export interface FinalRow {
  readonly id: number;
  readonly key: string;
  readonly token: number;
}

/** As a reader sees it, in the order of its partition. */
export interface ReadRow extends FinalRow {
  readonly partition: number;
  readonly outboxId: number;
  readonly version: number;
}

export interface BookResult {
  /** Distinct rows: those in the table, and those that were delivered and have left it. */
  readonly rows: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  /** In the topic, though it was rolled back or is nobody's. */
  readonly uncommitted: number;
  /** Outbox ids that are missing between the first and the last, or came twice. */
  readonly holes: number;
  /** Delivered under another key or in a second partition. */
  readonly misplaced: number;
  /** In the table, not delivered, and not promised. */
  readonly low: number;
  readonly replaced: number;
  /** By kind of the statement that wrote the row. */
  readonly lostByKind: Readonly<Record<string, number>>;
  readonly examples: readonly string[];
}

interface KeyRead {
  readonly partition: number;
  readonly rows: ReadRow[];
}

export class BookCheck {
  readonly #book: TransactionBook;
  readonly #records = new Map<number, string>();
  readonly #keys = new Map<string, KeyRead>();
  readonly #final: FinalRow[] = [];
  readonly #examples: string[] = [];
  readonly #sequences: number[] = [];
  #doubled = 0;
  #uncommitted = 0;
  #misplaced = 0;

  constructor(book: TransactionBook) {
    this.#book = book;
  }

  row(row: FinalRow): void {
    this.#final.push(row);
  }

  record(row: ReadRow): void {
    const { id, key, token, partition, outboxId } = row;
    this.#sequences.push(outboxId % LANE_SPAN);
    if (this.#records.has(id)) {
      this.#doubled += 1;
      this.#example(`row ${id} twice`);
      return;
    }
    this.#records.set(id, key);
    if (!this.#book.knows(token) || this.#book.stateOf(token) === TOKEN.rolledBack) {
      this.#uncommitted += 1;
      this.#example(`row ${id} with token ${token} was never committed (${this.#book.kindOf(token)})`);
    }
    let seen = this.#keys.get(key);
    if (seen === undefined) {
      seen = { partition, rows: [] };
      this.#keys.set(key, seen);
    }
    if (seen.partition !== partition) {
      this.#misplaced += 1;
      this.#example(`row ${id} of ${key} in partition ${partition}`);
    }
    seen.rows.push(row);
  }

  result(): BookResult {
    const lostByKind: Record<string, number> = {};
    let lost = 0;
    let low = 0;
    for (const { id, key, token } of this.#final) {
      const delivered = this.#records.get(id);
      if (delivered !== undefined && delivered !== key) {
        this.#misplaced += 1;
        this.#example(`row ${id} of ${key} under the key ${delivered}`);
      }
      if (delivered !== undefined) continue;
      if (this.#book.isLow(token)) {
        low += 1;
        continue;
      }
      lost += 1;
      const kind = this.#book.kindOf(token);
      lostByKind[kind] = (lostByKind[kind] ?? 0) + 1;
      this.#example(`row ${id} of ${key}, token ${token}, lost (${kind})`);
    }
    const outOfOrder = [...this.#keys].reduce((sum, [key, { rows }]) => sum + this.#orderFaults(key, rows), 0);
    const held = new Set(this.#final.map(({ id }) => id));
    const replaced = [...this.#records.keys()].filter((id) => !held.has(id)).length;
    return {
      rows: this.#final.length + replaced,
      ...{ lost, doubled: this.#doubled, outOfOrder, uncommitted: this.#uncommitted, holes: this.#holes() },
      ...{ misplaced: this.#misplaced, low, replaced, lostByKind, examples: this.#examples },
    };
  }

  /** Rows of one key, as they were read. A row that was updated shows the token of its update: only its commit counts then. */
  #orderFaults(key: string, rows: readonly ReadRow[]): number {
    let faults = 0;
    const fault = (row: ReadRow, why: string) => {
      faults += 1;
      this.#example(`row ${row.id} of ${key} out of order: ${why}`);
    };
    let earliest = { committed: Number.POSITIVE_INFINITY, id: 0 };
    const following = new Map<number, number>();
    let next = Number.POSITIVE_INFINITY;
    for (const row of rows.toReversed()) {
      if (row.outboxId > next) fault(row, 'its outbox id is above that of the row behind it');
      next = row.outboxId;
      if (!this.#book.knows(row.token)) continue;
      if (row.version === 1) {
        const began = this.#book.beganOf(row.token);
        if (earliest.committed < began) fault(row, `it began after row ${earliest.id}, behind it, had committed`);
        const transaction = this.#book.transactionOf(row.token);
        const behind = following.get(transaction);
        if (behind !== undefined && behind < row.id) fault(row, `row ${behind} of its transaction is behind it`);
        following.set(transaction, row.id);
      }
      const committed = this.#book.committedOf(row.token);
      if (committed < earliest.committed) earliest = { committed, id: row.id };
    }
    return faults;
  }

  /** Sequences of a source run from 1 to the number of its records. */
  #holes(): number {
    const seen = new Uint8Array(this.#sequences.length + 1);
    let good = 0;
    for (const sequence of this.#sequences) {
      if (sequence < 1 || sequence >= seen.length || seen[sequence] === 1) continue;
      seen[sequence] = 1;
      good += 1;
    }
    const holes = this.#sequences.length - good;
    if (holes > 0) this.#example(`outbox id ${seen.indexOf(0, 1)} is missing`);
    return holes;
  }

  #example(text: string): void {
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(text);
  }
}

/** What a source table's row says of itself in its record. */
export function readRowlessRecord(value: Buffer | null): { key: string; token: number; version: number } {
  const row = JSON.parse(value?.toString('utf8') ?? 'null') as Record<string, unknown>;
  return { key: String(row.k), token: Number(row.token), version: Number(row.version) };
}
