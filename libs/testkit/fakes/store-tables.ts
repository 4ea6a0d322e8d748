/** The relay's tables in memory: what several stores, each a process of its own, share in a simulation. */
import type {
  AppendRequest,
  AsideRow,
  Doubt,
  LaneRow,
  Member,
  OutboxRow,
  StoredGapPage,
  TableFacts,
  WatermarkState,
} from '#outbox';
import type { Clock } from '#runtime';

export interface FakeLane extends Omit<LaneRow, 'leaseExpired'> {
  /** By the database's clock; null without a lease. */
  readonly leaseUntilMs: number | null;
  readonly fenceIds: readonly string[];
  readonly doubts: readonly Doubt[];
}

export interface FakeMember extends Member {
  readonly heartbeatMs: number;
}

export interface FakeAside extends Omit<AsideRow, 'dueInMs'> {
  readonly dueAtMs: number;
  readonly firstAtMs: number;
  readonly error: string;
}

/** A safeguard taken away on purpose, to show that a test notices. */
export type StoreWeakness = 'no-compare-and-set' | 'former-holder-not-fenced' | 'leases-ignored';

/** What an oracle wants to see of the effects, called in the same instant. */
export interface StoreWatch {
  onAppend?(request: AppendRequest): void;
  onDelete?(lane: number, ids: readonly number[], upTo: number): void;
  onClaim?(before: FakeLane, holder: string, leaseRunning: boolean): void;
}

/** Rows are replaced, never changed in place: what a store has handed out stays as it was. */
export class FakeOutboxTables {
  /** The database's clock. */
  readonly clock: Clock;
  readonly watermarks = new Map<string, WatermarkState>();
  /** Open gaps by source, each page by its name. */
  readonly gaps = new Map<string, ReadonlyMap<bigint, StoredGapPage>>();
  readonly tableFacts = new Map<string, TableFacts>();
  readonly lanes = new Map<number, FakeLane>();
  /** By id. */
  readonly outbox = new Map<number, OutboxRow>();
  readonly members = new Map<string, FakeMember>();
  readonly aside = new Map<number, FakeAside>();
  /** Topics that may be sent to, each until a time of the database's clock. */
  readonly topics = new Map<string, number>();
  readonly weaknesses = new Set<StoreWeakness>();
  watch: StoreWatch = {};

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Rows with after < id < end, ascending. */
  range(after: number, end: number): OutboxRow[] {
    const rows: OutboxRow[] = [];
    let isSorted = true;
    let last = after;
    for (const row of this.outbox.values()) {
      if (row.id <= after || row.id >= end) continue;
      isSorted &&= row.id > last;
      last = row.id;
      rows.push(row);
    }
    // Rows of a lane come in the order of their ids, unless something is wrong.
    return isSorted ? rows : rows.sort((a, b) => a.id - b.id);
  }

  leaseExpired(lane: FakeLane): boolean {
    return lane.leaseUntilMs === null || lane.leaseUntilMs <= this.clock.nowMs();
  }

  /** The lane, when the claim is still somebody's. */
  claimed(lane: number, claimEpoch: number): FakeLane | null {
    const row = this.lanes.get(lane);
    return row !== undefined && row.claimEpoch === claimEpoch && row.holder !== null ? row : null;
  }
}
