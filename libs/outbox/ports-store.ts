/** The outbox store port: the writer's half (compare-and-set append) and the sender's half (lanes, reading, deleting, aside). */
import type { AsideStore, OutboxMessage, OutboxRow } from './ports-aside.ts';
import type { BatchLimits } from './ports-source.ts';
import type {
  GapChanges,
  GapPage,
  SourceAcceptance,
  SourceHalt,
  StoredGapPage,
  TableFacts,
  WatermarkState,
} from './ports-watermark.ts';

export interface AppendRequest {
  readonly source: string;
  readonly epoch: number;
  /** The compare half of compare-and-set, with `epoch`. */
  readonly expectedNextSequence: number;
  readonly next: {
    readonly position: bigint;
    readonly gaps: GapChanges;
    readonly nextSequence: number;
  };
  /** In id order within each lane. May be empty: then only position and gaps move. */
  readonly messages: readonly OutboxMessage[];
  /**
   * Mode `consume`: takes the rows out of their table, in this transaction, after the compare-and-set. False: somebody else did,
   * and append rejects with DB_TRANSIENT: nothing is written, and the table has to be read anew.
   */
  readonly takeOut?: (transaction: object) => Promise<boolean>;
  /** The reader's: gaps were closed by what that server said. On any other, append rejects with DB_UNREACHABLE. */
  readonly server?: string | null;
}

export interface WriterStore {
  /** The watermark row, or null when the source was never registered. */
  loadWatermark(source: string): Promise<WatermarkState | null>;
  /** Open gaps of the source, ascending. */
  loadGaps(source: string): Promise<readonly StoredGapPage[]>;
  /**
   * Registers a source with its first position, its initial gaps and `lanes` new lane rows, in one transaction.
   * Already registered: changes nothing. Returns the source's lane numbers, ascending.
   */
  registerSource(request: {
    readonly source: string;
    readonly position: bigint;
    readonly gaps: readonly GapPage[];
    readonly lanes: number;
  }): Promise<readonly number[]>;
  /** Lane numbers of a source, ascending; empty when it is not registered. */
  lanesOf(source: string): Promise<readonly number[]>;
  /** Raises the epoch by one and names the leader: from here on every other writer's append is `fenced`. A halted source stays as it is. */
  beginTerm(source: string, leader: string): Promise<WatermarkState>;
  /**
   * One transaction: compare-and-set of the watermark row first, then one multi-row insert, then commit (I2, I3).
   * `fenced` means the row did not match and nothing was written. Rejects with DB_COMMIT_UNKNOWN when the answer to
   * COMMIT was lost: the caller re-reads the watermark to learn the outcome.
   * `onUnderWay` is called at most once, when the rows are on their way and the rest is the server's work: time that the
   * caller can use. It is not called when there are no rows.
   */
  append(request: AppendRequest, onUnderWay?: () => void): Promise<'committed' | 'fenced'>;
  /** Null: nothing was ever noted. */
  loadTableFacts(source: string): Promise<TableFacts | null>;
  /** False when the epoch is not this one any more, or the source is halted: then nothing changed. */
  noteTableFacts(source: string, epoch: number, facts: TableFacts): Promise<boolean>;
  /**
   * Halts the source for every writer until it is accepted, and raises the epoch. False when the epoch is not this one any more:
   * nothing changed, since what an old leader has seen says nothing of its successor's source.
   */
  haltSource(halt: SourceHalt): Promise<boolean>;
  /** Lets a halted source go on, in one transaction, and raises the epoch. False when it is not as the operator saw it. */
  acceptSource(acceptance: SourceAcceptance): Promise<boolean>;
}

export type LaneState = 'running' | 'halted' | 'paused';

export interface LaneRow {
  readonly lane: number;
  readonly source: string;
  /** Everything at or below it was delivered and deleted; null: the lane's marker was never written. */
  readonly deliveredId: number | null;
  /** Transactional id of the holder; null when released cleanly. */
  readonly holder: string | null;
  readonly claimEpoch: number;
  /** True when nobody's lease is running, by the database's clock. */
  readonly leaseExpired: boolean;
  readonly state: LaneState;
  readonly why: string | null;
}

/** A lane we hold, with the claim epoch that proves it. */
export interface LaneClaim {
  readonly lane: number;
  readonly source: string;
  readonly claimEpoch: number;
  readonly deliveredId: number | null;
  /** Transactional ids that must be fenced before the marker is read. */
  readonly fenceIds: readonly string[];
  /** The holder whose lane this was, for the log. */
  readonly formerHolder: string | null;
}

/** `waiting`: a sender that Kafka does not answer. It has let its lanes go and counts for no share, and yet it lives. */
export type MemberKind = 'writer' | 'sender' | 'waiting';

export interface Member {
  readonly id: string;
  readonly kind: MemberKind;
}

export interface LaneCursor {
  readonly lane: number;
  /** Read rows with id > cursor (and inside the lane). */
  readonly cursor: number;
  readonly rowsMax: number;
}

export interface LaneBatch {
  readonly lane: number;
  readonly rows: readonly OutboxRow[];
  /** True when a limit cut the lane's rows, so that more are likely waiting. */
  readonly full: boolean;
}

export interface SenderStore extends AsideStore {
  /** Writes this member's heartbeat and forgets members silent for longer than `ttlMs`. Returns the live members of the kind. */
  heartbeat(member: Member, ttlMs: number): Promise<readonly string[]>;
  leave(memberId: string): Promise<void>;
  listLanes(): Promise<readonly LaneRow[]>;
  /**
   * Claims one lane that is free (holder null) or whose lease ran out, for `holder`: in one transaction locks the row, adds the
   * former holder to fence_ids unless it released cleanly, sets holder, claim_epoch + 1 and the lease. Null: somebody was faster.
   * Fence ids left by an earlier claim that died half-way stay in the list. A lane not `running` is not claimed.
   */
  claimLane(lane: number, holder: string, leaseMs: number): Promise<LaneClaim | null>;
  /** Empties fence_ids (also when they are empty: it is the look whether the claim still stands); false when it is no longer ours. */
  clearFences(lane: number, claimEpoch: number): Promise<boolean>;
  /** Renews leases of claims still ours and returns those lanes only; a lane missing from the answer is lost (or not running any more). */
  renewLeases(
    claims: readonly { readonly lane: number; readonly claimEpoch: number }[],
    leaseMs: number,
  ): Promise<readonly number[]>;
  /** Gives a lane back cleanly (nothing of ours can be in flight): records the delivered id, holder null. False: no longer ours. */
  releaseLane(lane: number, claimEpoch: number, deliveredId: number): Promise<boolean>;
  /** The lane's holder goes on under another transactional id, which whoever takes the lane has to fence. False: no longer ours. */
  renameHolder(lane: number, claimEpoch: number, holder: string): Promise<boolean>;
  /** Records that the lane's first marker is in Kafka: from here on a missing marker halts the lane. */
  recordMarkerWritten(lane: number, claimEpoch: number, deliveredId: number): Promise<boolean>;
  /**
   * Stops a lane with a reason that the operator reads; nobody claims it until resumed. False: the claim is no longer ours
   * and nothing changed, since a judgement made under an old claim says nothing about the lane of its present holder.
   */
  haltLane(lane: number, claimEpoch: number, why: string): Promise<boolean>;
  /** Next sequence of the lane's source: a marker at or past it means that the database is older than Kafka. */
  nextSequenceOf(lane: number): Promise<number>;
  /** Rows after each lane's cursor, in one statement, ascending per lane, within the limits over all lanes. */
  readBatches(cursors: readonly LaneCursor[], limits: BatchLimits): Promise<readonly LaneBatch[]>;
  /** Writes down that records may be sent to these topics from now on and for `forMs`, before the first one is. */
  noteTopics(topics: readonly string[], forMs: number): Promise<void>;
  /** Topics that any sender of this outbox has noted for a time within the last `sinceMs`, at most `rowsMax`. */
  listTopics(sinceMs: number, rowsMax: number): Promise<readonly string[]>;
  /** Deletes rows with cursor < id <= upTo and raises delivered_id to upTo, in one transaction a range of at most `rowsMax`. Resolves to the new delivered id. */
  deleteDelivered(lane: number, after: number, upTo: number, rowsMax: number): Promise<number>;
}
