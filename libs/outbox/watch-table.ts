/**
 * A leader's look at its source's table, at the begin of a term and every few seconds: are the columns those that were delivered, do
 * ids go on above the position, is it the same table? What it sees is written down for the writers that come after (I8).
 */
import { type Clock, RelayError } from '#runtime';
import { judgeNextId, judgeTable } from './judge-table.ts';
import type { DeliveredColumn, SourceReader, TableFacts, TableMark, WatermarkState, WriterStore } from './ports.ts';
import { readSample } from './read-sample.ts';

const LOOK_EVERY_MS = 3_000;
/** Before rows are appended the table is recognised, but not more often than this: a busy writer hardly notices. */
const RECOGNISE_EVERY_MS = 100;
/** A look that takes long comes less often. */
const REST_PER_LOOK = 50;

export interface WatchTableOptions {
  readonly store: WriterStore;
  readonly reader: SourceReader;
  readonly clock: Clock;
  readonly state: WatermarkState;
  readonly facts: TableFacts;
  /** A column kept its name and got another type: its values may look different from now on. */
  readonly onTypeChanged: (column: string, from: string, to: string) => void;
}

interface HasGaps {
  has(position: bigint): boolean;
}

export class WatchTable {
  readonly #options: WatchTableOptions;
  #facts: TableFacts;
  #columns: readonly DeliveredColumn[] | undefined;
  #dueMs: number;
  #recognisedMs = Number.NEGATIVE_INFINITY;
  /** Where the position was when the sample was taken; null: not in this term. */
  #sampledAt: bigint | null = null;

  /** The first look is due at once: nobody knows what happened since the last term. */
  constructor(options: WatchTableOptions) {
    this.#options = options;
    this.#facts = options.facts;
    this.#dueMs = options.clock.nowMs();
  }

  /**
   * Before rows of a changed table are appended: writes the columns down. False: this term is over. Throws SOURCE_COLUMNS_GONE for
   * a reader that does not deliver a column any more.
   */
  async noteColumns(): Promise<boolean> {
    const { reader } = this.#options;
    const now = reader.columns;
    if (now === undefined || now === this.#columns) return true;
    this.#columns = now;
    const before = this.#facts.columns;
    for (const { name, type } of before ?? []) {
      const found = now.find((column) => column.name === name);
      if (found !== undefined && found.type !== type) this.#options.onTypeChanged(name, type, found.type);
    }
    if (JSON.stringify(before) === JSON.stringify(now)) return true;
    return this.#note({ ...this.#facts, columns: now });
  }

  /** Looks when it is time. False: this term is over. Throws SOURCE_WENT_BACK, and the reader's and the store's faults. */
  async look(position: bigint, gaps: HasGaps, hasMoved: boolean): Promise<boolean> {
    const { reader, clock, state } = this.#options;
    const startedMs = clock.nowMs();
    // Rows that leave the table as they are moved: ids may begin anew there.
    if (reader.removal !== undefined || reader.nextPosition === undefined || startedMs < this.#dueMs) return true;
    const next = await reader.nextPosition();
    const passed = hasMoved || (this.#facts.next !== null && this.#facts.next > position);
    const mark = (await reader.tableMark?.()) ?? null;
    const wrong =
      (await judgeNextId(reader, next, position, passed)) ?? (await judgeTable(reader, this.#facts, mark, position));
    if (wrong !== null) throw new RelayError('SOURCE_WENT_BACK', `source ${state.source}: ${wrong}`);
    const noted = await this.#refresh(position, gaps, next, mark);
    const doneMs = clock.nowMs();
    this.#dueMs = doneMs + Math.max(LOOK_EVERY_MS, (doneMs - startedMs) * REST_PER_LOOK);
    return noted;
  }

  /**
   * Between reading rows and appending them: are they of the table that was looked at? Otherwise the look comes now, before rows of
   * another table are moved under ids that come again. False and throws: as `look`.
   */
  async recognise(position: bigint, gaps: HasGaps, hasMoved: boolean): Promise<boolean> {
    const { reader, clock } = this.#options;
    const nowMs = clock.nowMs();
    if (reader.removal !== undefined || reader.tableMark === undefined) return true;
    if (nowMs - this.#recognisedMs < RECOGNISE_EVERY_MS) return true;
    const mark = await reader.tableMark();
    if (JSON.stringify(mark) !== JSON.stringify(this.#facts.mark)) {
      this.#dueMs = nowMs;
      return this.look(position, gaps, hasMoved);
    }
    this.#recognisedMs = nowMs;
    return true;
  }

  async #refresh(position: bigint, gaps: HasGaps, next: bigint | null, mark: TableMark | null): Promise<boolean> {
    const { reader } = this.#options;
    const marked = JSON.stringify(mark) !== JSON.stringify(this.#facts.mark);
    const began = this.#facts.next === null && next !== null;
    if (this.#sampledAt === position && !marked && !began) return true;
    const sample = await readSample(reader, position, gaps);
    // A table that was made anew while its rows were read is judged by the sample of before, at the next look.
    if (JSON.stringify((await reader.tableMark?.()) ?? null) !== JSON.stringify(mark)) return true;
    this.#sampledAt = position;
    const highest = this.#facts.next !== null && (next === null || this.#facts.next > next) ? this.#facts.next : next;
    return this.#note({ ...this.#facts, mark, sample, next: highest });
  }

  async #note(facts: TableFacts): Promise<boolean> {
    const { store, state } = this.#options;
    if (!(await store.noteTableFacts(state.source, state.epoch, facts))) return false;
    this.#facts = facts;
    return true;
  }
}
