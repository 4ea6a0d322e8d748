/**
 * A sender: one transactional producer that delivers all the lanes it holds, one Kafka transaction after another.
 *
 * A turn: make sure of the session (fence ourselves, renew leases, read markers: in that order), apply what the background
 * look at lanes and members found, retry a row set aside if one is due, then read, send, move on. Whatever goes wrong in
 * a transaction leaves its outcome unknown; the session is thrown away and the markers tell (I4).
 */
import { asRelayError, backoffMs, crashPoint, type RelayError } from '#runtime';
import { acquit, blame } from './blame-rows.ts';
import type { LaneHold } from './lane-hold.ts';
import { claimable, LaneMembership, shareOf } from './lane-membership.ts';
import { planTransaction, type TransactionPlan } from './plan-transaction.ts';
import type { LaneBatch, LaneClaim, ProducerSession } from './ports.ts';
import { Ahead } from './read-ahead.ts';
import { attemptHead, dueHead, nextHeadDueInMs } from './retry-aside.ts';
import type { SenderOptions } from './sender-options.ts';
import { claimLanes, loadAside, takeClaimedLanes } from './take-lanes.ts';
import { TopicBlocks } from './topic-blocks.ts';
import { trimLane, trimLoop } from './trim-lanes.ts';
import { verifyMarkers } from './verify-markers.ts';
import { Wake } from './wake.ts';

const PACE_MIN_MS = 4;
const PACE_GROWTH = 1.5;
/** Trimming before a lane is given back is kept short: its next holder trims from the lane's start anyway. */
const RELEASE_RANGES_MAX = 2;
/** A head set aside is looked at again this often, in case an operator changed it. */
const ASIDE_LOOK_MS = 5_000;

export class Sender {
  readonly #options: SenderOptions;
  readonly #holds = new Map<number, LaneHold>();
  readonly #wake = new Wake();
  readonly #membership: LaneMembership;
  readonly #topics: TopicBlocks;
  readonly #ahead: Ahead;
  /** Claimed, not yet fenced and verified; survives faults on the way. */
  #taking: LaneClaim[] = [];
  #session: ProducerSession | null = null;
  /** True once leases were renewed and markers read under the present session. */
  #verified = false;
  #faults = 0;
  #turn = 0;
  #paceMs = PACE_MIN_MS;
  #progressAtMs: number;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#membership = new LaneMembership(options, this.#holds, () => this.#wake.ring());
    this.#topics = new TopicBlocks(options.clock, options.random, options.backoff);
    this.#ahead = new Ahead(options.store, options.limits);
    this.#progressAtMs = options.clock.nowMs();
  }

  /** Lanes held now, for health and metrics. */
  get lanes(): readonly number[] {
    return [...this.#holds.keys()];
  }

  /** Monotonic time of the last turn that delivered or found nothing to deliver. */
  get progressAtMs(): number {
    return this.#progressAtMs;
  }

  /** Runs until the signal aborts, then gives every lane back. Rejects only with a fatal RelayError. */
  async run(signal: AbortSignal): Promise<void> {
    const background = new AbortController();
    const wake = () => this.#wake.ring();
    signal.addEventListener('abort', wake);
    const hush = this.#options.doorbell.listen((ring) => {
      if (ring.kind === 'lanes-changed') this.#membership.hurry();
      else if (ring.kind === 'retry-due') this.#forgetAside(ring.lanes);
      if (
        ring.kind !== 'leader-gone' &&
        (ring.kind === 'lanes-changed' || ring.lanes.some((lane) => this.#holds.has(lane)))
      )
        wake();
    });
    let fault: unknown = null;
    const note = (thrown: unknown) => {
      fault ??= thrown;
      wake();
    };
    const loops = [
      this.#membership.run(background.signal).catch(note),
      trimLoop(this.#options, this.#holds, background.signal).catch(note),
    ];
    try {
      while (!signal.aborted && fault === null) await this.#guardedTurn(signal);
      if (fault !== null) throw fault;
    } finally {
      hush();
      signal.removeEventListener('abort', wake);
      background.abort();
      await Promise.all(loops);
      await this.#leave();
    }
  }

  async #guardedTurn(signal: AbortSignal): Promise<void> {
    this.#wake.clear();
    try {
      const busy = await this.#takeTurn();
      this.#faults = 0;
      this.#progressAtMs = this.#options.clock.nowMs();
      if (busy) this.#paceMs = PACE_MIN_MS;
      else await this.#rest();
    } catch (thrown) {
      await this.#recover(asRelayError(thrown), signal);
    }
  }

  /** True when something was done, so that the next turn follows at once. */
  async #takeTurn(): Promise<boolean> {
    const session = await this.#readySession();
    await this.#applyMembership(session);
    if (this.#session === null) return true;
    if (await this.#retryOne(session)) return true;
    return this.#deliverOnce(session);
  }

  // ------------------------------------------------------------ session

  async #readySession(): Promise<ProducerSession> {
    let session = this.#session;
    if (session === null) {
      this.#verified = false;
      session = await this.#options.kafka.open(this.#options.transactionalId);
      this.#session = session;
    }
    if (!this.#verified) {
      await this.#verifyHolds(session);
      this.#verified = true;
      this.#membership.reportKafka(true);
      this.#options.onEvent({
        kind: 'session-opened',
        transactionalId: this.#options.transactionalId,
        lanes: this.lanes,
      });
    }
    return session;
  }

  /** After InitProducerId: which lanes are still ours, and what of the last transaction arrived? */
  async #verifyHolds(session: ProducerSession): Promise<void> {
    const holds = [...this.#holds.values()];
    if (holds.length === 0) return;
    const kept = new Set(await this.#options.store.renewLeases(holds, this.#options.leaseMs));
    for (const hold of holds) if (!kept.has(hold.lane)) this.#drop(hold);
    if (!session.transactional) return;
    const expected = [...this.#holds.values()].map(({ lane, marker }) => ({
      lane,
      deliveredId: marker,
      committedId: marker,
    }));
    const verdicts = await verifyMarkers(this.#options, expected, this.#options.markerSettleMs);
    for (const [lane, verdict] of verdicts) {
      const hold = this.#holds.get(lane);
      if (hold === undefined) continue;
      if (verdict.kind === 'ready') hold.marker = verdict.marker;
      else await this.#halt(hold, verdict.kind === 'halt' ? verdict.why : 'the marker is gone from Kafka');
    }
    await loadAside(this.#options, [...this.#holds.values()]);
  }

  async #dropSession(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    this.#verified = false;
    this.#ahead.forget();
    if (session !== null) await session.close();
  }

  // ------------------------------------------------------------ lanes

  async #applyMembership(session: ProducerSession): Promise<void> {
    for (const [lane, claimEpoch] of this.#membership.takeLost()) {
      const hold = this.#holds.get(lane);
      if (hold !== undefined && hold.claimEpoch === claimEpoch) this.#drop(hold);
    }
    if (this.#taking.length > 0) await this.#finishTaking(session);
    const view = this.#membership.takeView();
    if (view === null || this.#session === null) return;
    const share = shareOf(view, this.#options.transactionalId);
    if (this.#holds.size > share) await this.#giveBack(this.#holds.size - share);
    if (this.#holds.size >= share) return;
    this.#taking = await claimLanes(this.#options, claimable(view, this.#holds), share - this.#holds.size);
    if (this.#taking.length > 0) await this.#finishTaking(session);
  }

  /** A claim that names our own id as one to fence needs a new session of ours: that is the fence. */
  async #finishTaking(session: ProducerSession): Promise<void> {
    let current = session;
    if (this.#taking.some((claim) => claim.fenceIds.includes(this.#options.transactionalId))) {
      await this.#dropSession();
      current = await this.#readySession();
    }
    const holds = await takeClaimedLanes(this.#options, current, this.#taking);
    this.#taking = [];
    for (const hold of holds) this.#holds.set(hold.lane, hold);
    this.#membership.hurry();
  }

  async #giveBack(count: number): Promise<void> {
    for (const hold of [...this.#holds.values()].slice(-count)) await this.#release(hold);
    this.#options.doorbell.ring({ kind: 'lanes-changed' });
  }

  /** Clean: called between two transactions only, when nothing of the lane can be in flight. */
  async #release(hold: LaneHold): Promise<void> {
    this.#drop(hold, false);
    await trimLane(this.#options, hold, RELEASE_RANGES_MAX);
    if (await this.#options.store.releaseLane(hold.lane, hold.claimEpoch, hold.marker)) {
      this.#options.onEvent({ kind: 'lane-released', lane: hold.lane, marker: hold.marker });
    }
  }

  #drop(hold: LaneHold, lost = true): void {
    this.#holds.delete(hold.lane);
    if (lost) this.#options.onEvent({ kind: 'lane-lost', lane: hold.lane });
  }

  async #halt(hold: LaneHold, why: string): Promise<void> {
    this.#drop(hold, false);
    await this.#options.store.haltLane(hold.lane, why);
    this.#options.onEvent({ kind: 'lane-halted', lane: hold.lane, why });
  }

  // ------------------------------------------------------------ delivery

  /** Lanes without suspicion go together; each lane on probation goes alone, in turn. */
  async #deliverOnce(session: ProducerSession): Promise<boolean> {
    const holds = [...this.#holds.values()];
    const groups = [holds.filter((hold) => hold.probation === null)];
    for (const hold of holds) if (hold.probation !== null) groups.push([hold]);
    for (let tried = 0; tried < groups.length; tried += 1) {
      this.#turn += 1;
      const group = groups[this.#turn % groups.length] as LaneHold[];
      if (group.length === 0) continue;
      const batches = await this.#ahead.read(group, this.#turn);
      const plan = planTransaction(batches, this.#holds, this.#topics.isBlocked);
      if (plan.lanes.length === 0) continue;
      await this.#send(session, group, plan, batches);
      return true;
    }
    return false;
  }

  async #send(
    session: ProducerSession,
    group: readonly LaneHold[],
    plan: TransactionPlan,
    batches: readonly LaneBatch[],
  ): Promise<void> {
    for (const [hold, rows] of plan.toPark) {
      const parked = rows.map((row) => ({
        row,
        state: 'parked' as const,
        error: 'waits behind a row of its key',
        dueInMs: 0,
      }));
      await this.#options.store.setAside(parked, hold.lane);
    }
    crashPoint('sender-before-transact');
    const startedMs = this.#options.clock.nowMs();
    this.#ahead.start(group, plan, batches, this.#turn + 1);
    try {
      await session.transact(plan.records, plan.markers);
    } catch (thrown) {
      await this.#undelivered(asRelayError(thrown), thrown, plan);
      return;
    }
    crashPoint('sender-after-transact');
    for (const hold of plan.lanes) {
      hold.marker = plan.lastIds.get(hold.lane) ?? hold.marker;
      acquit(hold);
    }
    if (plan.records.length === 0) return;
    this.#topics.delivered(new Set(plan.records.map((record) => record.topic)));
    this.#options.onEvent({
      kind: 'delivered',
      rows: plan.records.length,
      bytes: plan.bytes,
      lanes: plan.lanes.map((hold) => hold.lane),
      transactionMs: this.#options.clock.nowMs() - startedMs,
    });
  }

  /** The session is dead whatever the fault was; row faults and missing topics are dealt with here, the rest is passed on. */
  async #undelivered(error: RelayError, thrown: unknown, plan: TransactionPlan): Promise<void> {
    const scope = this.#options.kafka.scopeOf(thrown);
    await this.#dropSession();
    if (error.verdict === 'row-fault') {
      const culprit = blame(plan, scope);
      this.#options.onEvent({ kind: 'session-lost', code: error.code, message: error.message });
      if (culprit === null) return;
      const { hold, row } = culprit;
      const dueInMs = backoffMs(1, this.#options.backoff, this.#options.random);
      await this.#options.store.setAside(
        [{ row, state: 'retrying', error: `${error.code}: ${error.message}`, dueInMs }],
        hold.lane,
      );
      this.#options.onEvent({
        kind: 'row-aside',
        lane: hold.lane,
        id: row.id,
        code: error.code,
        message: error.message,
      });
      return;
    }
    if (scope === null || (error.code !== 'KAFKA_TOPIC_MISSING' && error.code !== 'KAFKA_REFUSED'))
      throw error;
    const { attempt, delayMs } = this.#topics.block(scope.topic);
    this.#options.onEvent({
      kind: 'sender-retry',
      code: error.code,
      message: error.message,
      topic: scope.topic,
      attempt,
      delayMs,
    });
  }

  // ------------------------------------------------------------ rows set aside

  async #retryOne(session: ProducerSession): Promise<boolean> {
    const stale = [...this.#holds.values()].filter((hold) => this.#asideIsStale(hold));
    if (stale.length > 0) await loadAside(this.#options, stale);
    for (const hold of this.#holds.values()) {
      if (hold.parked.size > this.#options.parkedKeysMax) {
        await this.#halt(hold, `more than ${this.#options.parkedKeysMax} keys wait behind refused rows`);
        return true;
      }
      const head = dueHead(hold, this.#options);
      if (head === null) continue;
      hold.asideReadAtMs = null;
      try {
        const outcome = await attemptHead(this.#options, session, hold, head);
        if (outcome === 'refused') await this.#dropSession();
      } catch (thrown) {
        // Only a fresh session makes the retry marker trustworthy again.
        await this.#dropSession();
        throw thrown;
      }
      return true;
    }
    return false;
  }

  #asideIsStale(hold: LaneHold): boolean {
    if (hold.asideReadAtMs === null) return true;
    const aside = hold.parked.size + hold.asideIds.size > 0;
    return aside && this.#options.clock.nowMs() - hold.asideReadAtMs > ASIDE_LOOK_MS;
  }

  #forgetAside(lanes: readonly number[]): void {
    for (const lane of lanes) {
      const hold = this.#holds.get(lane);
      if (hold !== undefined) hold.asideReadAtMs = null;
    }
  }

  // ------------------------------------------------------------ pace, faults, end

  async #rest(): Promise<void> {
    this.#paceMs = Math.min(this.#options.pollIntervalMs, this.#paceMs * PACE_GROWTH);
    let waitMs = this.#paceMs;
    for (const hold of this.#holds.values())
      waitMs = Math.min(waitMs, nextHeadDueInMs(hold, this.#options) ?? waitMs);
    await this.#wake.wait(this.#options.clock, Math.max(1, waitMs));
  }

  async #recover(error: RelayError, signal: AbortSignal): Promise<void> {
    this.#ahead.forget();
    if (error.verdict === 'fatal') throw error;
    const ofDatabase = error.code.startsWith('DB_');
    if (!ofDatabase) {
      await this.#dropSession();
      this.#membership.reportKafka(false);
      this.#options.onEvent({ kind: 'session-lost', code: error.code, message: error.message });
    }
    this.#faults += 1;
    // Being fenced or uncertain is settled by a new session at once; only a world that stays broken is waited out.
    const soon =
      this.#faults === 1 &&
      (error.code === 'KAFKA_FENCED' ||
        error.code === 'KAFKA_OUTCOME_UNKNOWN' ||
        error.code === 'DB_TRANSIENT');
    const delayMs = soon ? 20 : backoffMs(this.#faults, this.#options.backoff, this.#options.random);
    this.#options.onEvent({
      kind: 'sender-retry',
      code: error.code,
      message: error.message,
      topic: null,
      attempt: this.#faults,
      delayMs,
    });
    await this.#options.clock.sleep(delayMs, signal);
  }

  /** Gives the lanes back cleanly when the session is sound; otherwise the leases run out and the next holder fences us. */
  async #leave(): Promise<void> {
    const clean = this.#session !== null && this.#verified;
    try {
      if (clean) for (const hold of [...this.#holds.values()]) await this.#release(hold);
      await this.#options.store.leave(this.#options.transactionalId);
      this.#options.doorbell.ring({ kind: 'lanes-changed' });
    } catch (thrown) {
      const error = asRelayError(thrown);
      this.#options.onEvent({
        kind: 'sender-retry',
        code: error.code,
        message: error.message,
        topic: null,
        attempt: 1,
        delayMs: 0,
      });
    }
    await this.#dropSession();
  }
}
