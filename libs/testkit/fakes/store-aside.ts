/** Rows set aside, in memory: what the sender's half of the outbox store does with them. */
import {
  type AsideHead,
  type AsideQueue,
  type AsideRow,
  type AttemptVerdicts,
  type BatchLimits,
  type Doubt,
  IN_DOUBT,
  joinDoubts,
  type OpenAttempt,
  type SenderStore,
} from '#outbox';
import { type FakeCall, gatedCall } from './gated-call.ts';
import type { FakeStoreOptions } from './store-options.ts';
import type { FakeAside, FakeOutboxTables } from './store-tables.ts';

export class FakeAsideStore {
  readonly #tables: FakeOutboxTables;
  readonly #call: FakeCall;

  constructor({ tables, gate, call }: FakeStoreOptions) {
    this.#tables = tables;
    this.#call = call ?? gatedCall('store', gate);
  }

  setAside(
    lane: number,
    claimEpoch: number,
    rows: Parameters<SenderStore['setAside']>[2],
    doubts: readonly Doubt[] = [],
  ): Promise<boolean> {
    return this.#call('setAside', () => {
      const held = this.#tables.claimed(lane, claimEpoch);
      if (held === null) return false;
      const nowMs = this.#tables.clock.nowMs();
      for (const { row, state, error, dueInMs, waitsFor = null, inDoubt } of rows) {
        if (this.#tables.aside.has(row.id)) continue;
        const fresh = { attempts: 0, attemptToken: inDoubt ? IN_DOUBT : 0, waitsFor, firstAtMs: nowMs };
        this.#tables.aside.set(row.id, { ...row, lane, state, error, dueAtMs: nowMs + dueInMs, ...fresh });
      }
      if (doubts.length > 0) this.#tables.lanes.set(lane, { ...held, doubts: joinDoubts(held.doubts, doubts) });
      return true;
    });
  }

  listAsideHeads(lanes: readonly number[], rowsMax: number): Promise<readonly AsideHead[]> {
    return this.#call('listAsideHeads', () => {
      const seen = new Set<string>();
      const heads = this.#of(lanes).filter(({ lane, key, id, state }) => {
        if (state !== 'retrying' && state !== 'parked') return false;
        const name = `${lane} ${key === null ? `id ${id}` : key.toString('hex')}`;
        if (seen.has(name)) return false;
        seen.add(name);
        return true;
      });
      return heads.slice(0, rowsMax).map((row) => {
        const { value, headers: _, ...head } = this.#toAside(row);
        return { ...head, valueBytes: value?.length ?? null };
      });
    });
  }

  readAside(id: number): Promise<AsideRow | null> {
    return this.#call('readAside', () => {
      const row = this.#tables.aside.get(id);
      return row === undefined ? null : this.#toAside(row);
    });
  }

  listQueues(lanes: readonly number[]): Promise<readonly AsideQueue[]> {
    return this.#call('listQueues', () => {
      const rows = this.#of(lanes).filter(({ waitsFor }) => waitsFor !== null);
      const queues = Map.groupBy(rows, ({ lane, waitsFor }) => `${lane} ${waitsFor}`);
      const sorted = [...queues].sort(([a], [b]) => (a < b ? -1 : 1));
      return sorted.map(([, each]) => {
        const { lane, waitsFor, error, firstAtMs } = each[0] as FakeAside;
        const bytes = each.reduce((sum, { size }) => sum + size, 0);
        const oldestMs = Math.max(0, this.#tables.clock.nowMs() - firstAtMs);
        const lastId = Math.max(...each.map(({ id }) => id));
        return { lane, waitsFor: waitsFor as string, rows: each.length, bytes, lastId, oldestMs, error };
      });
    });
  }

  readQueue(lane: number, waitsFor: string, upTo: number, limits: BatchLimits): Promise<readonly AsideRow[]> {
    return this.#call('readQueue', () => {
      const found: AsideRow[] = [];
      let bytes = 0;
      for (const row of this.#of([lane])) {
        if (row.waitsFor !== waitsFor || row.id > upTo) continue;
        bytes += row.size;
        if (found.length >= limits.rowsMax || (found.length > 0 && bytes > limits.bytesMax)) break;
        found.push(this.#toAside(row));
      }
      return found;
    });
  }

  listDoubts(lanes: readonly number[]): Promise<ReadonlyMap<number, readonly Doubt[]>> {
    return this.#call(
      'listDoubts',
      () => new Map(lanes.map((lane) => [lane, this.#tables.lanes.get(lane)?.doubts ?? []])),
    );
  }

  listDoubted(lane: number, waitsFor: string): Promise<readonly number[]> {
    return this.#call('listDoubted', () =>
      this.#of([lane])
        .filter((row) => row.waitsFor === waitsFor && row.attemptToken === IN_DOUBT)
        .map(({ id }) => id),
    );
  }

  listAttempts(lanes: readonly number[]): Promise<readonly OpenAttempt[]> {
    return this.#call('listAttempts', () =>
      this.#of(lanes)
        .filter(({ attemptToken }) => attemptToken > 0)
        .map(({ lane, id, attemptToken: token, topic, key }) => ({ lane, id, token, topic, key })),
    );
  }

  beginAttempt(
    lane: number,
    claimEpoch: number,
    ids: readonly number[],
    token: number,
  ): Promise<readonly number[] | null> {
    return this.#call('beginAttempt', () => {
      if (this.#tables.claimed(lane, claimEpoch) === null) return null;
      for (const row of this.#of([lane])) if (row.attemptToken > 0) this.#set(row.id, { attemptToken: 0 });
      const begun = ids.filter((id) => (this.#tables.aside.get(id)?.state ?? 'dead') !== 'dead');
      for (const id of begun) this.#set(id, { attemptToken: token });
      return begun;
    });
  }

  settleAttempts(lane: number, claimEpoch: number, verdicts: AttemptVerdicts): Promise<boolean> {
    return this.#call('settleAttempts', () => {
      const held = this.#tables.claimed(lane, claimEpoch);
      if (held === null) return false;
      const { arrived, missing, unknown = [], doubts } = verdicts;
      for (const id of arrived) this.#tables.aside.delete(id);
      for (const id of missing) this.#set(id, { attemptToken: 0 });
      for (const id of unknown) this.#set(id, { attemptToken: IN_DOUBT });
      if (doubts !== undefined) this.#tables.lanes.set(lane, { ...held, doubts });
      return true;
    });
  }

  failAttempts(
    lane: number,
    claimEpoch: number,
    ids: readonly number[],
    { error, dueInMs, state }: Parameters<SenderStore['failAttempts']>[3],
  ): Promise<boolean> {
    return this.#call('failAttempts', () => {
      if (this.#tables.claimed(lane, claimEpoch) === null) return false;
      const found = ids.flatMap((id) => this.#tables.aside.get(id) ?? []);
      const dueAtMs = this.#tables.clock.nowMs() + dueInMs;
      for (const { id, attempts } of found) {
        this.#set(id, { attempts: attempts + 1, attemptToken: 0, waitsFor: null, error, state, dueAtMs });
      }
      return found.length > 0;
    });
  }

  moveAside(
    lane: number,
    claimEpoch: number,
    ids: readonly number[],
    { waitsFor, error }: { readonly waitsFor: string | null; readonly error: string },
  ): Promise<boolean> {
    return this.#call('moveAside', () => {
      if (this.#tables.claimed(lane, claimEpoch) === null) return false;
      const state = waitsFor === null ? 'parked' : 'waiting';
      for (const id of ids) {
        if ((this.#tables.aside.get(id)?.state ?? 'dead') !== 'dead') {
          this.#set(id, { state, waitsFor, error, dueAtMs: this.#tables.clock.nowMs() });
        }
      }
      return true;
    });
  }

  removeAside(ids: readonly number[]): Promise<void> {
    return this.#call('removeAside', () => {
      for (const id of ids) this.#tables.aside.delete(id);
    });
  }

  #of(lanes: readonly number[]): FakeAside[] {
    const rows = [...this.#tables.aside.values()].filter(({ lane }) => lanes.includes(lane));
    return rows.sort((a, b) => a.id - b.id);
  }

  #set(id: number, change: Partial<FakeAside>): void {
    const row = this.#tables.aside.get(id);
    if (row !== undefined) this.#tables.aside.set(id, { ...row, ...change });
  }

  #toAside({ dueAtMs, error: _error, firstAtMs: _first, ...row }: FakeAside): AsideRow {
    return { ...row, dueInMs: dueAtMs - this.#tables.clock.nowMs() };
  }
}
