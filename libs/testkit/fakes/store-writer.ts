/** The writer's half of the outbox store in memory. */
import {
  type AppendRequest,
  type GapChanges,
  LANES_MAX,
  type OutboxMessage,
  type OutboxRow,
  type SourceAcceptance,
  type SourceHalt,
  type StoredGapPage,
  type TableFacts,
  type WatermarkState,
  type WriterStore,
} from '#outbox';
import { RelayError } from '#runtime';
import { type FakeCall, gatedCall } from './gated-call.ts';
import type { FakeStoreOptions } from './store-options.ts';
import type { FakeLane, FakeOutboxTables } from './store-tables.ts';

function toRow(message: OutboxMessage): OutboxRow {
  const headers = message.headers === null ? 0 : Buffer.byteLength(JSON.stringify(message.headers));
  return { ...message, size: (message.key?.length ?? 0) + (message.value?.length ?? 0) + headers };
}

export class FakeWriterStore implements WriterStore {
  readonly #tables: FakeOutboxTables;
  readonly #call: FakeCall;

  constructor({ tables, gate, call }: FakeStoreOptions) {
    this.#tables = tables;
    this.#call = call ?? gatedCall('store', gate);
  }

  loadWatermark(source: string): Promise<WatermarkState | null> {
    return this.#call('loadWatermark', () => this.#tables.watermarks.get(source) ?? null);
  }

  loadGaps(source: string): Promise<readonly StoredGapPage[]> {
    return this.#call('loadGaps', () =>
      [...(this.#tables.gaps.get(source)?.values() ?? [])].sort((a, b) => (a.page < b.page ? -1 : 1)),
    );
  }

  registerSource(request: Parameters<WriterStore['registerSource']>[0]): Promise<readonly number[]> {
    return this.#call('registerSource', () => {
      const { source, position, gaps } = request;
      if (this.#tables.watermarks.has(source)) return this.#lanesOf(source);
      const first = Math.max(-1, ...this.#tables.lanes.keys()) + 1;
      if (first + request.lanes > LANES_MAX) throw new RelayError('CONFIG_INVALID', 'not enough lanes are left');
      const fresh = { source, position, nextSequence: 1, epoch: 0, leader: null, ...RUNNING, incarnations: [] };
      this.#tables.watermarks.set(source, fresh);
      this.#writeGaps(source, { put: gaps, drop: [] });
      for (let lane = first; lane < first + request.lanes; lane += 1)
        this.#tables.lanes.set(lane, newLane(lane, source));
      return this.#lanesOf(source);
    });
  }

  lanesOf(source: string): Promise<readonly number[]> {
    return this.#call('lanesOf', () => this.#lanesOf(source));
  }

  beginTerm(source: string, leader: string): Promise<WatermarkState> {
    return this.#call('beginTerm', () => {
      const former = this.#tables.watermarks.get(source);
      if (!former) throw new RelayError('INVARIANT_BROKEN', `source ${source} has no watermark row`);
      if (former.state === 'halted') return former;
      const state = { ...former, epoch: former.epoch + 1, leader };
      this.#tables.watermarks.set(source, state);
      return state;
    });
  }

  append(request: AppendRequest, onUnderWay?: () => void): Promise<'committed' | 'fenced'> {
    return this.#call('append', () => {
      if (request.messages.length > 0) onUnderWay?.();
      const { source, epoch, expectedNextSequence, next, messages } = request;
      const state = this.#tables.watermarks.get(source);
      if (state === undefined) return 'fenced';
      const moved = state.epoch !== epoch || state.nextSequence !== expectedNextSequence;
      if (moved && !this.#tables.weaknesses.has('no-compare-and-set')) return 'fenced';
      const ids = new Set(messages.map(({ id }) => id));
      if (ids.size < messages.length || messages.some(({ id }) => this.#tables.outbox.has(id))) {
        throw new RelayError('INVARIANT_BROKEN', 'an outbox id handed out by the watermark row is in use already');
      }
      const { position, gaps, nextSequence } = next;
      this.#tables.watermarks.set(source, { ...state, position, nextSequence });
      this.#writeGaps(source, gaps);
      for (const message of messages) this.#tables.outbox.set(message.id, toRow(message));
      // A fake source does it in this very instant, and is never found short of a row.
      void request.takeOut?.({});
      this.#tables.watch.onAppend?.(request);
      return 'committed';
    });
  }

  #writeGaps(source: string, { put, drop }: GapChanges): void {
    if (put.length === 0 && drop.length === 0) return;
    const pages = new Map(this.#tables.gaps.get(source));
    for (const page of drop) pages.delete(page);
    for (const page of put) pages.set(page.page, { ...page, ageMs: 0 });
    this.#tables.gaps.set(source, pages);
  }

  loadTableFacts(source: string): Promise<TableFacts | null> {
    return this.#call('loadTableFacts', () => this.#tables.tableFacts.get(source) ?? null);
  }

  noteTableFacts(source: string, epoch: number, facts: TableFacts): Promise<boolean> {
    return this.#call('noteTableFacts', () => {
      if (this.#stateAt(source, epoch)?.state !== 'running') return false;
      this.#tables.tableFacts.set(source, facts);
      return true;
    });
  }

  haltSource({ source, epoch, cause, why }: SourceHalt): Promise<boolean> {
    return this.#call('haltSource', () => {
      const state = this.#stateAt(source, epoch);
      if (state?.state !== 'running') return false;
      this.#tables.watermarks.set(source, { ...state, epoch: epoch + 1, state: 'halted', cause, why });
      return true;
    });
  }

  acceptSource({ facts, gaps, ...accepted }: SourceAcceptance): Promise<boolean> {
    return this.#call('acceptSource', () => {
      const { source, epoch } = accepted;
      const state = this.#stateAt(source, epoch);
      if (state?.state !== 'halted') return false;
      this.#tables.watermarks.set(source, { ...state, ...accepted, ...RUNNING, epoch: epoch + 1, leader: null });
      this.#writeGaps(source, gaps);
      this.#tables.tableFacts.set(source, facts);
      return true;
    });
  }

  #stateAt(source: string, epoch: number): WatermarkState | null {
    const state = this.#tables.watermarks.get(source);
    return state?.epoch === epoch ? state : null;
  }

  #lanesOf(source: string): number[] {
    const lanes = [...this.#tables.lanes.values()].filter((lane) => lane.source === source);
    return lanes.map(({ lane }) => lane).sort((a, b) => a - b);
  }
}

const RUNNING = { state: 'running', cause: null, why: null } as const;

const newLane = (lane: number, source: string): FakeLane => ({
  lane,
  source,
  deliveredId: null,
  holder: null,
  claimEpoch: 0,
  leaseUntilMs: null,
  fenceIds: [],
  doubts: [],
  state: 'running',
  why: null,
});
