/**
 * A sender: one transactional producer that delivers all the lanes it holds, one Kafka transaction after another.
 *
 * A turn: make sure of the session (fence ourselves, renew leases, read markers: in that order), apply what the background
 * look at lanes and members found, retry a row set aside if one is due, then read, send, move on. Whatever goes wrong in
 * a transaction leaves its outcome unknown; the session is thrown away and the markers tell (I4).
 */
import { asRelayError, backoffMs, crashPoint, Progress, type RelayError } from '#runtime';
import { AsideRounds } from './aside-rounds.ts';
import { acquit, blame } from './blame-rows.ts';
import { planFitting } from './defer-misfits.ts';
import { HeldLanes } from './held-lanes.ts';
import type { LaneHold } from './lane-hold.ts';
import { noticing } from './notice-progress.ts';
import { OwnSession } from './own-session.ts';
import { PaceKeeper } from './pace-keeper.ts';
import { planTransaction, type TransactionPlan } from './plan-transaction.ts';
import type { DeliveryFaultScope, DoorbellRing, LaneBatch, ProducerSession } from './ports.ts';
import { Ahead } from './read-ahead.ts';
import { expireMarker, refreshMarkers } from './refresh-markers.ts';
import { RetryShare } from './retry-share.ts';
import type { SenderOptions } from './sender-options.ts';
import { TopicNotes } from './sent-topics.ts';
import { ThrottleRest } from './throttle-rest.ts';
import { TopicBlocks } from './topic-blocks.ts';
import { isTimeout } from './transaction-pace.ts';
import { trimLoop } from './trim-lanes.ts';
import { Wake } from './wake.ts';

const PACE_MIN_MS = 4;
const PACE_GROWTH = 1.5;

export class Sender {
  readonly #options: SenderOptions;
  readonly #wake = new Wake();
  readonly #lanes: HeldLanes;
  readonly #session: OwnSession;
  readonly #topics: TopicBlocks;
  readonly #notes: TopicNotes;
  readonly #ahead: Ahead;
  readonly #aside: AsideRounds;
  readonly #pace: PaceKeeper;
  readonly #throttled: ThrottleRest;
  readonly #share = new RetryShare();
  readonly #progress: Progress;
  /** What was acknowledged is to be looked at under a fresh session. */
  #doubted = false;
  #turn = 0;
  #paceMs = PACE_MIN_MS;

  constructor(given: SenderOptions) {
    this.#progress = given.progress ?? new Progress();
    const options = noticing(given, this.#progress);
    this.#options = options;
    this.#lanes = new HeldLanes(options, () => this.#wake.ring());
    this.#topics = new TopicBlocks(options.clock, options.random, options.backoff);
    this.#notes = new TopicNotes(options);
    this.#session = new OwnSession(options, this.#lanes, () => this.#ahead.forget());
    this.#aside = new AsideRounds(options, this.#lanes, this.#notes, this.#topics.isBlocked);
    this.#pace = new PaceKeeper(options);
    this.#throttled = new ThrottleRest(options, this.#wake);
    this.#ahead = new Ahead(options.store, options.limits, this.#pace.limits);
  }

  /** Lanes held now, for health and metrics. */
  get lanes(): readonly number[] {
    return [...this.#lanes.holds.keys()];
  }

  /** Runs until the signal aborts, then gives every lane back. Rejects only with a fatal RelayError. */
  async run(signal: AbortSignal): Promise<void> {
    const background = new AbortController();
    const wake = () => this.#wake.ring();
    signal.addEventListener('abort', wake);
    const hush = this.#options.doorbell.listen((ring) => this.#hear(ring));
    let fault: unknown = null;
    const note = (thrown: unknown) => {
      fault ??= thrown;
      wake();
    };
    const loops = [this.#lanes.membership.run(background.signal), this.#trim(background.signal)].map((loop) =>
      loop.catch(note),
    );
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

  #trim(signal: AbortSignal): Promise<void> {
    const doubt = () => {
      this.#doubted = true;
      this.#wake.ring();
    };
    return trimLoop(this.#options, this.#lanes.holds, signal, () => this.#session.standing, doubt);
  }

  #hear(ring: DoorbellRing): void {
    if (ring.kind === 'leader-gone' || ring.kind === 'source-rows') return;
    if (ring.kind === 'lanes-changed') this.#lanes.membership.hurry();
    else if (!ring.lanes.some((lane) => this.#lanes.holds.has(lane))) return;
    if (ring.kind === 'retry-due') this.#aside.forget(ring.lanes);
    if (ring.kind === 'markers-due')
      for (const lane of ring.lanes) expireMarker(this.#options, this.#lanes.holds.get(lane));
    this.#wake.ring();
  }

  async #guardedTurn(signal: AbortSignal): Promise<void> {
    this.#wake.clear();
    this.#progress.due(this.#options.clock.nowMs());
    try {
      const busy = await this.#takeTurn();
      if (busy) this.#paceMs = PACE_MIN_MS;
      else await this.#rest();
    } catch (thrown) {
      await this.#recover(asRelayError(thrown), signal);
    }
  }

  /** True when something was done, so that the next turn follows at once. */
  async #takeTurn(): Promise<boolean> {
    if (this.#doubted) await this.#session.drop();
    this.#doubted = false;
    const session = await this.#session.ready();
    await this.#lanes.apply(session, () => this.#session.renew());
    if (!this.#session.isCurrent(session)) return true;
    if (await this.#throttled.rest(session)) return true;
    if (await refreshMarkers(this.#options, session, this.#lanes.holds)) return true;
    if (await this.#retryInTurn(session)) return true;
    const found = await this.#deliverOnce(session);
    this.#share.delivered(found);
    return found;
  }

  /** Lanes without suspicion go together; each lane on probation goes alone, in turn. */
  async #deliverOnce(session: ProducerSession): Promise<boolean> {
    const holds = [...this.#lanes.holds.values()];
    const groups = [holds.filter((hold) => hold.probation === null)];
    for (const hold of holds) if (hold.probation !== null) groups.push([hold]);
    let waiting = false;
    for (let tried = 0; tried < groups.length; tried += 1) {
      this.#turn += 1;
      const group = groups[this.#turn % groups.length] as LaneHold[];
      if (group.length === 0) continue;
      const batches = await this.#ahead.read(group, this.#turn);
      waiting ||= batches.some(({ rows }) => rows.length > 0);
      const planOf = (deferred: ReadonlySet<number>) =>
        planTransaction(batches, this.#lanes.holds, this.#topics.isBlocked, deferred);
      const { plan, lost } = await planFitting(this.#options, session, planOf);
      if (lost !== null) this.#lanes.lose(lost);
      else if (plan.lanes.length === 0) continue;
      else await this.#send(session, group, plan, batches);
      return true;
    }
    // Every lane was looked at. Rows of topics that are away still wait.
    if (!waiting) this.#progress.idle(this.#options.clock.nowMs());
    return false;
  }

  async #send(
    session: ProducerSession,
    group: readonly LaneHold[],
    plan: TransactionPlan,
    batches: readonly LaneBatch[],
  ): Promise<void> {
    for (const [hold, rows] of plan.toPark) {
      if (!(await this.#aside.park(hold, rows))) return this.#lanes.lose(hold);
    }
    const topics = new Set(plan.records.map((record) => record.topic));
    await this.#notes.note(topics);
    crashPoint('sender-before-transact');
    const startedMs = this.#options.clock.nowMs();
    this.#ahead.start(group, plan, batches, this.#turn + 1);
    try {
      await session.transact(plan.records, plan.markers);
    } catch (thrown) {
      const error = asRelayError(thrown);
      if (isTimeout(error)) this.#pace.timedOut(plan);
      await this.#undelivered(error, thrown, plan);
      return;
    }
    crashPoint('sender-after-transact');
    this.#pace.delivered(plan, this.#options.clock.nowMs() - startedMs, session);
    for (const hold of plan.lanes) {
      hold.marker = plan.lastIds.get(hold.lane) ?? hold.marker;
      hold.markerWrittenAtMs = this.#options.clock.nowMs();
      acquit(hold);
    }
    if (plan.records.length === 0) return;
    this.#topics.delivered(topics);
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
    await this.#session.drop();
    if (error.verdict === 'row-fault') {
      const culprit = blame(plan, scope);
      this.#options.onEvent({ kind: 'session-lost', code: error.code, message: error.message });
      if (culprit === null) return;
      const { hold, row } = culprit;
      const dueInMs = backoffMs(1, this.#options.backoff, this.#options.random);
      const aside = { row, state: 'retrying' as const, error: `${error.code}: ${error.message}`, dueInMs };
      if (!(await this.#options.store.setAside(hold.lane, hold.claimEpoch, [aside]))) return this.#lanes.lose(hold);
      const facts = { lane: hold.lane, id: row.id, code: error.code, message: error.message, delayMs: dueInMs };
      this.#options.onEvent({ kind: 'row-aside', ...facts });
      return;
    }
    this.#blockTopic(error, scope, plan.records);
  }

  /** A topic that is away is waited out by itself while the others go on. Throws any other fault as it is. */
  #blockTopic(error: RelayError, scope: DeliveryFaultScope | null, sent: readonly { readonly topic: string }[]): void {
    const isAway = error.code === 'KAFKA_TOPIC_MISSING' || error.code === 'KAFKA_REFUSED';
    // A topic that carries no row of ours is the marker topic: without it nothing goes.
    if (scope === null || !isAway || !sent.some(({ topic }) => topic === scope.topic)) throw error;
    const { code, message } = error;
    const { topic } = scope;
    this.#options.onEvent({ kind: 'sender-retry', code, message, topic, ...this.#topics.block(topic) });
  }

  /** In its turn and within its share of the time. */
  async #retryInTurn(session: ProducerSession): Promise<boolean> {
    const { clock } = this.#options;
    await this.#aside.refresh(session);
    const startedMs = clock.nowMs();
    if (!this.#share.mayRetry(startedMs)) return false;
    const worked = await this.#retryOne(session);
    if (worked) this.#share.retried(startedMs, clock.nowMs());
    return worked;
  }

  async #retryOne(session: ProducerSession): Promise<boolean> {
    const due = await this.#aside.nextDue(session);
    if (due === null || due === 'unsent') return due !== null;
    try {
      const outcome = await this.#aside.attempt(session, due);
      if (outcome !== 'delivered' && outcome !== 'unsent') await this.#session.drop();
    } catch (thrown) {
      // Only a fresh session makes the retry marker trustworthy again.
      await this.#session.drop();
      this.#blockTopic(asRelayError(thrown), this.#options.kafka.scopeOf(thrown), [due.head]);
    }
    return true;
  }

  async #rest(): Promise<void> {
    this.#paceMs = Math.min(this.#options.pollIntervalMs, this.#paceMs * (this.#options.paceGrowth ?? PACE_GROWTH));
    await this.#wake.wait(this.#options.clock, this.#aside.restAtMost(this.#paceMs));
  }

  async #recover(error: RelayError, signal: AbortSignal): Promise<void> {
    this.#ahead.forget();
    if (error.verdict === 'fatal') throw error;
    const ofDatabase = error.code.startsWith('DB_');
    if (!ofDatabase) {
      await this.#session.drop();
      this.#lanes.membership.reportKafka(false);
      this.#options.onEvent({ kind: 'session-lost', code: error.code, message: error.message });
    }
    const attempt = this.#progress.failed(error, this.#options.clock.nowMs());
    // Being fenced or uncertain is settled by a new session at once; only a world that stays broken is waited out.
    const soon =
      attempt === 1 &&
      (error.code === 'KAFKA_FENCED' || error.code === 'KAFKA_OUTCOME_UNKNOWN' || error.code === 'DB_TRANSIENT');
    const delayMs = soon ? 20 : backoffMs(attempt, this.#options.backoff, this.#options.random);
    const { code, message } = error;
    this.#options.onEvent({ kind: 'sender-retry', code, message, topic: null, attempt, delayMs });
    await this.#options.clock.sleep(delayMs, signal);
  }

  /** Gives the lanes back cleanly when the session is sound; otherwise the leases run out and the next holder fences us. */
  async #leave(): Promise<void> {
    const clean = this.#session.isSound;
    try {
      if (clean) await this.#lanes.releaseAll();
      await this.#options.store.leave(this.#options.transactionalId);
      this.#options.doorbell.ring({ kind: 'lanes-changed' });
    } catch (thrown) {
      const { code, message } = asRelayError(thrown);
      this.#options.onEvent({ kind: 'sender-retry', code, message, topic: null, attempt: 1, delayMs: 0 });
    }
    await this.#session.drop();
  }
}
