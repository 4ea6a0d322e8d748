/** Reads the next rows of many lanes in one statement, each by its primary-key range, within one budget of rows and bytes. */
import type { ByteSink, RowBytes } from '#database';
import { type BatchLimits, type LaneBatch, type LaneCursor, laneEnd, laneOf, type OutboxRow } from '#outbox';
import { RelayError } from '#runtime';
import { OUTBOX_COLUMNS, TopicCache, toOutboxRow } from './outbox-row.ts';
import { type LaneHistory, shareLimits } from './share-limits.ts';
import type { Storage } from './storage.ts';

/** Unwanted bytes read to the end of a result rather than giving the connection up. */
const BYTES_DROPPED_MAX = 4 * 1024 * 1024;
/** Weight of the newest batch in the average size of a row. */
const NEWEST_WEIGHT = 0.5;

/** Remembers what the last reads found, only to ask for the right number of rows. */
export class BatchReader {
  readonly #storage: Storage;
  readonly #history = new Map<number, LaneHistory>();
  #rowBytes = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** One batch for each cursor, in the cursors' order. */
  async read(cursors: readonly LaneCursor[], limits: BatchLimits): Promise<readonly LaneBatch[]> {
    if (cursors.length === 0) return [];
    const asked = shareLimits(cursors, limits, this.#history, this.#rowBytes);
    const select = `SELECT ${OUTBOX_COLUMNS} FROM ${this.#storage.tables.outbox} WHERE id > ? AND id < ? ORDER BY id LIMIT ?`;
    const sql = cursors.length === 1 ? select : cursors.map(() => `(${select})`).join(' UNION ALL ');
    const values = cursors.flatMap(({ lane, cursor }, index) => [cursor, laneEnd(lane), asked[index] as number]);
    const sink = new BatchSink(cursors, limits);
    await this.#storage.pool.use((session) => session.streamBytes(sql, values, sink));
    this.#learn(sink);
    return cursors.map(({ lane }, index) => {
      const rows = sink.rowsOf(lane);
      const full = rows.length >= (asked[index] as number) || sink.cutAt(index);
      this.#history.set(lane, { rows: rows.length, full });
      return { lane, rows, full };
    });
  }

  #learn(sink: BatchSink): void {
    if (sink.rowsSeen === 0) return;
    const newest = sink.bytesSeen / sink.rowsSeen;
    this.#rowBytes = this.#rowBytes === 0 ? newest : this.#rowBytes * (1 - NEWEST_WEIGHT) + newest * NEWEST_WEIGHT;
  }
}

/** Sorts rows by lane as they come in, and stops keeping them at the budget. */
class BatchSink implements ByteSink {
  readonly bytesDroppedMax = BYTES_DROPPED_MAX;
  rowsSeen = 0;
  bytesSeen = 0;
  readonly #limits: BatchLimits;
  readonly #rows: Map<number, OutboxRow[]>;
  readonly #order: Map<number, number>;
  readonly #topics = new TopicCache();
  /** Index of the cursor whose row was the first not kept. */
  #cut: number | null = null;

  constructor(cursors: readonly LaneCursor[], limits: BatchLimits) {
    this.#limits = limits;
    this.#rows = new Map(cursors.map(({ lane }) => [lane, []]));
    this.#order = new Map(cursors.map(({ lane }, index) => [lane, index]));
  }

  onColumns(): boolean {
    return true;
  }

  onRow(wire: RowBytes): boolean {
    const row = toOutboxRow(wire, this.#topics);
    const lane = laneOf(row.id);
    const rows = this.#rows.get(lane);
    if (!rows) throw new RelayError('INVARIANT_BROKEN', `the outbox answered with a row of lane ${lane}`);
    const last = rows.at(-1);
    if (last && last.id >= row.id) throw new RelayError('INVARIANT_BROKEN', `lane ${lane} came in out of id order`);
    const bytes = row.size;
    const over = this.rowsSeen >= this.#limits.rowsMax || this.bytesSeen + bytes > this.#limits.bytesMax;
    if (this.rowsSeen > 0 && over) {
      this.#cut = this.#order.get(lane) as number;
      return false;
    }
    this.rowsSeen += 1;
    this.bytesSeen += bytes;
    rows.push(row);
    return true;
  }

  rowsOf(lane: number): readonly OutboxRow[] {
    return this.#rows.get(lane) as OutboxRow[];
  }

  /** True when rows of this cursor were, or may have been, among those not kept. */
  cutAt(index: number): boolean {
    return this.#cut !== null && index >= this.#cut;
  }
}
