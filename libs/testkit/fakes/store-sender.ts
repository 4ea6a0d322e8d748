/** The sender's half of the outbox store in memory. */
import {
  type BatchLimits,
  type LaneBatch,
  type LaneClaim,
  type LaneCursor,
  type LaneRow,
  laneEnd,
  laneFloor,
  type Member,
  type OutboxRow,
  type SenderStore,
} from '#outbox';
import { RelayError } from '#runtime';
import { type FakeCall, gatedCall } from './gated-call.ts';
import { FakeAsideStore } from './store-aside.ts';
import type { FakeStoreOptions } from './store-options.ts';
import type { FakeLane, FakeOutboxTables } from './store-tables.ts';

export class FakeSenderStore extends FakeAsideStore implements SenderStore {
  readonly #tables: FakeOutboxTables;
  readonly #call: FakeCall;

  constructor(options: FakeStoreOptions) {
    super(options);
    const { tables, gate, call } = options;
    this.#tables = tables;
    this.#call = call ?? gatedCall('store', gate);
  }

  heartbeat(member: Member, ttlMs: number): Promise<readonly string[]> {
    return this.#call('heartbeat', () => {
      const { members, clock } = this.#tables;
      members.set(`${member.kind} ${member.id}`, { ...member, heartbeatMs: clock.nowMs() });
      for (const [key, { heartbeatMs }] of members) {
        if (clock.nowMs() - heartbeatMs > ttlMs) members.delete(key);
      }
      const live = [...members.values()].filter(({ kind }) => kind === member.kind);
      return live.map(({ id }) => id).sort();
    });
  }

  leave(memberId: string): Promise<void> {
    return this.#call('leave', () => {
      for (const [key, { id }] of this.#tables.members) if (id === memberId) this.#tables.members.delete(key);
    });
  }

  listLanes(): Promise<readonly LaneRow[]> {
    return this.#call('listLanes', () => {
      const rows = [...this.#tables.lanes.values()].sort((a, b) => a.lane - b.lane);
      return rows.map((row) => {
        const { lane, source, deliveredId, holder, claimEpoch, state, why } = row;
        const leaseExpired = this.#tables.leaseExpired(row);
        return { lane, source, deliveredId, holder, claimEpoch, leaseExpired, state, why };
      });
    });
  }

  claimLane(lane: number, holder: string, leaseMs: number): Promise<LaneClaim | null> {
    return this.#call('claimLane', () => {
      const row = this.#tables.lanes.get(lane);
      if (row?.state !== 'running') return null;
      const leaseRunning = row.holder !== null && !this.#tables.leaseExpired(row);
      if (leaseRunning && !this.#tables.weaknesses.has('leases-ignored')) return null;
      const former = this.#tables.weaknesses.has('former-holder-not-fenced') ? null : row.holder;
      const fenceIds = [...new Set(former === null ? row.fenceIds : [...row.fenceIds, former])];
      this.#tables.watch.onClaim?.(row, holder, leaseRunning);
      const claimEpoch = row.claimEpoch + 1;
      const leaseUntilMs = this.#tables.clock.nowMs() + leaseMs;
      this.#tables.lanes.set(lane, { ...row, holder, claimEpoch, fenceIds, leaseUntilMs });
      const { source, deliveredId } = row;
      return { lane, source, claimEpoch, deliveredId, fenceIds, formerHolder: row.holder };
    });
  }

  clearFences(lane: number, claimEpoch: number): Promise<boolean> {
    return this.#call('clearFences', () => this.#change(lane, claimEpoch, () => ({ fenceIds: [] })));
  }

  renewLeases(claims: Parameters<SenderStore['renewLeases']>[0], leaseMs: number): Promise<readonly number[]> {
    return this.#call('renewLeases', () => {
      const leaseUntilMs = this.#tables.clock.nowMs() + leaseMs;
      const kept = claims.filter(
        ({ lane, claimEpoch }) =>
          this.#tables.lanes.get(lane)?.state === 'running' && this.#change(lane, claimEpoch, () => ({ leaseUntilMs })),
      );
      return kept.map(({ lane }) => lane).sort((a, b) => a - b);
    });
  }

  releaseLane(lane: number, claimEpoch: number, deliveredId: number): Promise<boolean> {
    return this.#call('releaseLane', () =>
      this.#change(lane, claimEpoch, (row) => {
        const none = row.deliveredId === null && deliveredId <= laneFloor(lane);
        return { holder: null, leaseUntilMs: null, deliveredId: none ? null : raised(row, deliveredId) };
      }),
    );
  }

  renameHolder(lane: number, claimEpoch: number, holder: string): Promise<boolean> {
    return this.#call('renameHolder', () => this.#change(lane, claimEpoch, () => ({ holder })));
  }

  recordMarkerWritten(lane: number, claimEpoch: number, deliveredId: number): Promise<boolean> {
    return this.#call('recordMarkerWritten', () =>
      this.#change(lane, claimEpoch, (row) => ({ deliveredId: raised(row, deliveredId) })),
    );
  }

  haltLane(lane: number, claimEpoch: number, why: string): Promise<boolean> {
    return this.#call('haltLane', () => this.#change(lane, claimEpoch, () => ({ state: 'halted', why })));
  }

  nextSequenceOf(lane: number): Promise<number> {
    return this.#call('nextSequenceOf', () => {
      const state = this.#tables.watermarks.get(this.#tables.lanes.get(lane)?.source ?? '');
      if (!state) throw new RelayError('INVARIANT_BROKEN', `lane ${lane} has no source with a watermark`);
      return state.nextSequence;
    });
  }

  readBatches(cursors: readonly LaneCursor[], limits: BatchLimits): Promise<readonly LaneBatch[]> {
    return this.#call('readBatches', () => {
      let rows = 0;
      let bytes = 0;
      let cut = false;
      return cursors.map(({ lane, cursor, rowsMax }) => {
        const kept: OutboxRow[] = [];
        let full = false;
        for (const row of this.#tables.range(cursor, laneEnd(lane))) {
          cut ||= rows > 0 && (rows >= limits.rowsMax || bytes + row.size > limits.bytesMax);
          full = cut || kept.length >= Math.max(1, rowsMax);
          if (full) break;
          kept.push(row);
          rows += 1;
          bytes += row.size;
        }
        return { lane, rows: kept, full };
      });
    });
  }

  deleteDelivered(lane: number, after: number, upTo: number, rowsMax: number): Promise<number> {
    return this.#call('deleteDelivered', () => {
      if (after < laneFloor(lane) || upTo >= laneEnd(lane)) {
        throw new RelayError('INVARIANT_BROKEN', `lane ${lane} does not own the ids ${after} to ${upTo}`);
      }
      if (upTo <= after) return after;
      const rows = this.#tables.range(after, upTo + 1).slice(0, rowsMax);
      for (const { id } of rows) this.#tables.outbox.delete(id);
      const last = rows.length < rowsMax ? upTo : (rows.at(-1) as OutboxRow).id;
      const row = this.#tables.lanes.get(lane);
      if (row) this.#tables.lanes.set(lane, { ...row, deliveredId: raised(row, last) });
      this.#tables.watch.onDelete?.(
        lane,
        rows.map(({ id }) => id),
        last,
      );
      return last;
    });
  }

  noteTopics(topics: readonly string[], forMs: number): Promise<void> {
    return this.#call('noteTopics', () => {
      const untilMs = this.#tables.clock.nowMs() + forMs;
      for (const topic of topics)
        this.#tables.topics.set(topic, Math.max(untilMs, this.#tables.topics.get(topic) ?? 0));
    });
  }

  listTopics(sinceMs: number, rowsMax: number): Promise<readonly string[]> {
    return this.#call('listTopics', () => {
      const afterMs = this.#tables.clock.nowMs() - sinceMs;
      const noted = [...this.#tables.topics].filter(([, untilMs]) => untilMs > afterMs).map(([topic]) => topic);
      return noted.sort().slice(0, rowsMax);
    });
  }

  #change(lane: number, claimEpoch: number, change: (row: FakeLane) => Partial<FakeLane>): boolean {
    const row = this.#tables.claimed(lane, claimEpoch);
    if (row === null) return false;
    this.#tables.lanes.set(lane, { ...row, ...change(row) });
    return true;
  }
}

const raised = (row: FakeLane, deliveredId: number): number => Math.max(row.deliveredId ?? deliveredId, deliveredId);
