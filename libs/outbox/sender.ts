/**
 * A sender: one transactional producer that delivers all the lanes it holds, one Kafka transaction after another.
 *
 * A turn: make sure of the session (fence ourselves, renew leases, read markers: in that order), apply what the background
 * look at lanes and members found, retry a row set aside if one is due, then read, send, move on. Whatever goes wrong in
 * a transaction leaves its outcome unknown; the session is thrown away and the markers tell (I4).
 */
import { asRelayError, backoffMs, Progress, type RelayError } from '#runtime';
import { AsideRounds } from './aside-rounds.ts';
import { Delivery } from './deliver-lanes.ts';
import { HeldLanes } from './held-lanes.ts';
import { noticing } from './notice-progress.ts';
import { OwnId, withOwnId } from './own-id.ts';
import { OwnSession } from './own-session.ts';
import { PaceKeeper } from './pace-keeper.ts';
import type { DoorbellRing, ProducerSession } from './ports.ts';
import { Ahead } from './read-ahead.ts';
import { expireMarker, refreshMarkers } from './refresh-markers.ts';
import { RetryShare } from './retry-share.ts';
import { Routes } from './routes.ts';
import type { SenderOptions } from './sender-options.ts';
import { TopicNotes } from './sent-topics.ts';
import { TargetBlocks } from './target-blocks.ts';
import { targetOf } from './targets.ts';
import { ThrottleRest } from './throttle-rest.ts';
import { trimLoop } from './trim-lanes.ts';
import { WaitingRounds } from './waiting-rounds.ts';
import { Wake } from './wake.ts';

const PACE_MIN_MS = 4;
const PACE_GROWTH = 1.5;

export class Sender {
  readonly #options: SenderOptions;
  readonly #wake = new Wake();
  readonly #lanes: HeldLanes;
  readonly #session: OwnSession;
  readonly #routes: Routes;
  readonly #ahead: Ahead;
  readonly #aside: AsideRounds;
  readonly #waiting: WaitingRounds;
  readonly #delivery: Delivery;
  readonly #throttled: ThrottleRest;
  readonly #share = new RetryShare();
  readonly #progress: Progress;
  /** What was acknowledged is to be looked at under a fresh session. */
  #doubted = false;
  #turn = 0;
  #paceMs = PACE_MIN_MS;

  constructor(given: SenderOptions) {
    this.#progress = given.progress ?? new Progress();
    const id = new OwnId(given.transactionalId);
    const options = withOwnId(noticing(given, this.#progress), id);
    this.#options = options;
    this.#lanes = new HeldLanes(options, () => this.#wake.ring());
    const blocks = new TargetBlocks(options.clock, options.random, options.backoff, options.targetPatienceMs);
    const notes = new TopicNotes(options);
    const pace = new PaceKeeper(options);
    this.#routes = new Routes(options.kafka, blocks);
    this.#session = new OwnSession(options, id, this.#lanes, () => this.#ahead.forget());
    this.#waiting = new WaitingRounds(options, this.#lanes, notes, blocks, this.#routes);
    this.#aside = new AsideRounds(options, this.#lanes, notes, this.#routes, this.#waiting);
    this.#throttled = new ThrottleRest(options, this.#wake);
    this.#ahead = new Ahead(options.store, options.limits, pace.limits);
    this.#delivery = new Delivery(options, {
      lanes: this.#lanes,
      routes: this.#routes,
      blocks,
      notes,
      pace,
      aside: this.#aside,
      ahead: this.#ahead,
      drop: () => this.#session.drop(),
      onIdle: () => this.#progress.idle(options.clock.nowMs()),
    });
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
    await this.#routes.prepare(this.#lanes.holds.values());
    await this.#aside.refresh(session);
    // Each has its turn: neither do retries hold up delivery, nor rows that come back, nor the other way round.
    const works = [() => this.#returnSome(session), () => this.#retryInTurn(session), () => this.#deliverOnce(session)];
    for (let tried = 0; tried < works.length; tried += 1) {
      this.#turn += 1;
      const work = works[this.#turn % works.length] as () => Promise<boolean>;
      if (await work()) return true;
    }
    // Every lane was looked at. Rows of topics that are away still wait.
    return false;
  }

  async #deliverOnce(session: ProducerSession): Promise<boolean> {
    const found = await this.#delivery.deliverOnce(session);
    this.#share.delivered(found);
    return found;
  }

  /** In its turn and within its share of the time. */
  async #retryInTurn(session: ProducerSession): Promise<boolean> {
    const { clock } = this.#options;
    const startedMs = clock.nowMs();
    if (!this.#share.mayRetry(startedMs)) return false;
    const worked = await this.#retryOne(session);
    if (worked) this.#share.retried(startedMs, clock.nowMs());
    return worked;
  }

  async #retryOne(session: ProducerSession): Promise<boolean> {
    const due = await this.#aside.nextDue(session);
    if (due === null || due === 'unsent') return due !== null;
    return this.#try(session, due.head.topic, async () => {
      const outcome = await this.#aside.attempt(session, due);
      return outcome === 'delivered' || outcome === 'unsent';
    });
  }

  async #returnSome(session: ProducerSession): Promise<boolean> {
    const due = this.#waiting.nextDue();
    if (due === null) return false;
    let isSent = true;
    const { topic } = targetOf(due.waitsFor);
    await this.#try(session, topic, async () => {
      const outcome = await this.#waiting.attempt(session, due);
      isSent = outcome !== 'nothing';
      return outcome === 'nothing' || outcome === 'delivered';
    });
    return isSent;
  }

  /** `attempt` answers whether the session is sound. */
  async #try(session: ProducerSession, topic: string, attempt: () => Promise<boolean>): Promise<boolean> {
    try {
      if (!(await attempt())) await this.#session.drop();
    } catch (thrown) {
      // Nothing was sent for the target's sake; after anything else only a fresh session tells what became of the attempt.
      const isOfTarget = (this.#options.kafka.scopeOf(thrown)?.targets.length ?? 0) > 0;
      if (!isOfTarget || !session.isIntact()) await this.#session.drop();
      this.#delivery.block(thrown, new Set([topic]));
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
    this.#options.onEvent({ kind: 'sender-retry', code, message, attempt, delayMs });
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
      this.#options.onEvent({ kind: 'sender-retry', code, message, attempt: 1, delayMs: 0 });
    }
    await this.#session.drop();
  }
}
