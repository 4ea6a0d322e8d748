/** One transaction of the lanes' next rows: read, planned, sent; and what a fault of it means for lanes, rows and targets. */
import { asRelayError, backoffMs, crashPoint, type RelayError } from '#runtime';
import type { AsideRounds } from './aside-rounds.ts';
import { acquit, blame } from './blame-rows.ts';
import { planFitting } from './defer-misfits.ts';
import type { HeldLanes } from './held-lanes.ts';
import { changing, type LaneHold } from './lane-hold.ts';
import type { PaceKeeper } from './pace-keeper.ts';
import { planTransaction, type TransactionPlan } from './plan-transaction.ts';
import type { LaneBatch, ProducerSession } from './ports.ts';
import type { Ahead } from './read-ahead.ts';
import type { Routes } from './routes.ts';
import type { SenderOptions } from './sender-options.ts';
import { sentTopics, type TopicNotes } from './sent-topics.ts';
import type { TargetBlocks } from './target-blocks.ts';
import { targetName } from './targets.ts';
import { isTimeout } from './transaction-pace.ts';

export interface DeliveryParts {
  readonly lanes: HeldLanes;
  readonly routes: Routes;
  readonly blocks: TargetBlocks;
  readonly notes: TopicNotes;
  readonly pace: PaceKeeper;
  readonly aside: AsideRounds;
  readonly ahead: Ahead;
  readonly drop: () => Promise<void>;
  /** No row waits in the lanes held, nor aside for its target. */
  readonly onIdle: () => void;
}

/** The topics of this outbox are asked for again this often, while some of them are blocked. */
const OTHERS_LOOK_MS = 10_000;

export class Delivery {
  readonly #options: SenderOptions;
  readonly #parts: DeliveryParts;
  #turn = 0;
  #others: { readonly topics: readonly string[] | null; readonly atMs: number } | null = null;

  constructor(options: SenderOptions, parts: DeliveryParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** Lanes without suspicion go together; each lane on probation goes alone, in turn. */
  async deliverOnce(session: ProducerSession): Promise<boolean> {
    const { lanes, ahead, routes, onIdle } = this.#parts;
    const holds = [...lanes.holds.values()];
    let waiting = holds.some(({ queues }) => queues.size > 0);
    const groups = [holds.filter((hold) => hold.probation === null)];
    for (const hold of holds) if (hold.probation !== null) groups.push([hold]);
    for (let tried = 0; tried < groups.length; tried += 1) {
      this.#turn += 1;
      const group = groups[this.#turn % groups.length] as LaneHold[];
      if (group.length === 0) continue;
      const batches = await ahead.read(group, this.#turn);
      waiting ||= batches.some(({ rows }) => rows.length > 0);
      const othersFlow = await this.#othersFlow();
      const context = { holds: lanes.holds, routeOf: routes.of, othersFlow, bounds: this.#options.waiting };
      const planOf = (deferred: ReadonlySet<number>) => planTransaction(batches, { ...context, deferred });
      const { plan, lost } = await planFitting(this.#options, session, planOf);
      if (lost !== null) lanes.lose(lost);
      else if (plan.lanes.length === 0) continue;
      else await this.#send(session, group, plan, batches);
      return true;
    }
    if (!waiting) onIdle();
    return false;
  }

  /** Some topic that this outbox sends to is not blocked. */
  async #othersFlow(): Promise<boolean> {
    const { blocks } = this.#parts;
    if (blocks.isEmpty) return true;
    const { clock, store } = this.#options;
    if (this.#others === null || clock.nowMs() - this.#others.atMs > OTHERS_LOOK_MS) {
      this.#others = { topics: await sentTopics(store)(), atMs: clock.nowMs() };
    }
    const { topics } = this.#others;
    return topics === null || topics.some((topic) => !blocks.topics.has(topic));
  }

  async #send(
    session: ProducerSession,
    group: readonly LaneHold[],
    plan: TransactionPlan,
    batches: readonly LaneBatch[],
  ): Promise<void> {
    const { aside, lanes, notes, ahead, pace, drop } = this.#parts;
    for (const [hold, detours] of plan.aside) {
      if (!(await aside.setAside(hold, detours))) return lanes.lose(hold);
    }
    const topics = new Set(plan.records.map((record) => record.topic));
    await notes.note(topics);
    crashPoint('sender-before-transact');
    const startedMs = this.#options.clock.nowMs();
    ahead.start(group, plan, batches, this.#turn + 1);
    try {
      await session.transact(plan.records, plan.markers);
    } catch (thrown) {
      ahead.forget();
      if (isTimeout(asRelayError(thrown))) pace.timedOut(plan);
      if (!session.isIntact()) await drop();
      await this.#undelivered(thrown, plan, topics);
      return;
    }
    crashPoint('sender-after-transact');
    this.#delivered(session, plan, this.#options.clock.nowMs() - startedMs);
  }

  #delivered(session: ProducerSession, plan: TransactionPlan, transactionMs: number): void {
    const { clock, onEvent } = this.#options;
    this.#parts.pace.delivered(plan, transactionMs, session);
    for (const hold of plan.lanes) {
      hold.marker = plan.lastIds.get(hold.lane) ?? hold.marker;
      hold.markerWrittenAtMs = clock.nowMs();
      acquit(hold);
    }
    if (plan.records.length === 0) return;
    this.#noteTaken(plan);
    const lanes = plan.lanes.map((hold) => hold.lane);
    onEvent({ kind: 'delivered', rows: plan.records.length, bytes: plan.bytes, lanes, transactionMs });
  }

  /** What was failing for a moment only is not any more. */
  #noteTaken(plan: TransactionPlan): void {
    const { blocks, routes } = this.#parts;
    if (blocks.isEmpty) return;
    const { topics } = blocks;
    for (const rows of plan.sent.values()) {
      for (const row of rows) if (topics.has(row.topic)) blocks.took(routes.targetOf(row));
    }
  }

  /** Row faults and targets that take nothing are dealt with here, the rest is passed on. */
  async #undelivered(thrown: unknown, plan: TransactionPlan, topics: ReadonlySet<string>): Promise<void> {
    const error = asRelayError(thrown);
    if (error.verdict === 'row-fault') return this.#blame(error, thrown, plan);
    this.block(thrown, topics);
  }

  async #blame(error: RelayError, thrown: unknown, plan: TransactionPlan): Promise<void> {
    const { onEvent, backoff, random, store, kafka } = this.#options;
    const { code, message } = error;
    const culprit = blame(plan, kafka.scopeOf(thrown));
    onEvent({ kind: 'session-lost', code, message });
    if (culprit === null) return;
    const { hold, row } = culprit;
    const delayMs = backoffMs(1, backoff, random);
    const aside = { row, state: 'retrying' as const, error: `${code}: ${message}`, dueInMs: delayMs };
    const isOurs = await changing(hold, () => store.setAside(hold.lane, hold.claimEpoch, [aside]));
    if (!isOurs) return this.#parts.lanes.lose(hold);
    hold.asideReadAtMs = null;
    onEvent({ kind: 'row-aside', lane: hold.lane, id: row.id, code, message, delayMs });
  }

  /** Topics and partitions that take nothing are waited out by themselves while the others go on. Throws any other fault as it is. */
  block(thrown: unknown, sent: ReadonlySet<string>): void {
    const { kafka, onEvent, clock } = this.#options;
    const { blocks, lanes } = this.#parts;
    // A topic that carries no row of ours is the marker topic: without it nothing goes.
    const targets = (kafka.scopeOf(thrown)?.targets ?? []).filter(({ topic }) => sent.has(topic));
    if (targets.length === 0) throw thrown;
    for (const target of targets) {
      const { topic, partition, code, cause, message, isBlocked, sinceMs, attempt, untilMs } = blocks.fault(target);
      const nowMs = clock.nowMs();
      const name = targetName(target);
      const waiting = [...lanes.holds.values()].reduce((sum, { queues }) => sum + (queues.get(name)?.rows ?? 0), 0);
      const times = { forMs: nowMs - sinceMs, attempt, delayMs: untilMs - nowMs };
      const place = { topic, partition, code, cause, message };
      onEvent({ kind: 'target-blocked', ...place, isAside: isBlocked, waiting, ...times });
    }
  }
}
