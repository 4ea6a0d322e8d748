/**
 * A sender's own producer session. Opening it fences whatever ran under our id before; only then are the leases renewed and
 * the markers read, in this order, so that a paused sender can never deliver for a lane that was taken.
 */
import { asRelayError } from '#runtime';
import type { HeldLanes } from './held-lanes.ts';
import type { OwnId } from './own-id.ts';
import type { ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { sentTopics } from './sent-topics.ts';

export class OwnSession {
  readonly #options: SenderOptions;
  readonly #id: OwnId;
  readonly #lanes: HeldLanes;
  readonly #onDrop: () => void;
  #session: ProducerSession | null = null;
  /** True once leases were renewed and markers read under the present session. */
  #verified = false;
  #verifications = 0;
  /** False while lanes are held under an id that was given up. */
  #isRenamed = true;

  constructor(options: SenderOptions, id: OwnId, lanes: HeldLanes, onDrop: () => void) {
    this.#options = options;
    this.#id = id;
    this.#lanes = lanes;
    this.#onDrop = onDrop;
  }

  /** True when nothing of ours can be in flight: lanes may be given back cleanly. */
  get isSound(): boolean {
    return this.#session !== null && this.#verified;
  }

  /** Names the time from a verification to the next fault; null: nothing may be concluded from what Kafka says now. */
  get standing(): number | null {
    return this.isSound ? this.#verifications : null;
  }

  isCurrent(session: ProducerSession): boolean {
    return this.#session === session;
  }

  async ready(): Promise<ProducerSession> {
    const session = this.#session ?? (await this.#open());
    if (!this.#verified) {
      if (!this.#isRenamed) await this.#renameLanes();
      await this.#lanes.verify(session, [this.#options.transactionalId, ...this.#id.former]);
      this.#id.former = [];
      this.#verified = true;
      this.#verifications += 1;
      this.#lanes.membership.reportKafka(true);
      const lanes = [...this.#lanes.holds.keys()];
      this.#options.onEvent({ kind: 'session-opened', transactionalId: this.#options.transactionalId, lanes });
    }
    return session;
  }

  /** A session of our own id anew: the fence for claims that name it. */
  async renew(): Promise<ProducerSession> {
    await this.drop();
    return this.ready();
  }

  /** After any error: what became of the last transaction is for the markers to say. */
  async drop(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    this.#verified = false;
    this.#onDrop();
    if (session !== null) await session.close();
  }

  async #open(): Promise<ProducerSession> {
    const { kafka, store, transactionalId } = this.#options;
    this.#verified = false;
    try {
      this.#session = await kafka.open(transactionalId, sentTopics(store));
    } catch (thrown) {
      const { details, code, message } = asRelayError(thrown);
      if (details.type !== 'CONCURRENT_TRANSACTIONS' || !(await kafka.isDecided(transactionalId))) throw thrown;
      this.#options.onEvent({ kind: 'session-lost', code, message });
      this.#session = await this.#openAnother();
    }
    return this.#session;
  }

  /**
   * The last transaction is decided, and nothing of it is under way, since its session is closed. So nobody has to fence the id that
   * it was sent with: its lanes are held under the new id before anything is delivered with that, and its transaction is looked at
   * as one of ours.
   */
  async #openAnother(): Promise<ProducerSession> {
    const { kafka, store } = this.#options;
    const former = this.#options.transactionalId;
    this.#id.change();
    const { transactionalId } = this.#options;
    this.#isRenamed = false;
    this.#options.onEvent({ kind: 'id-changed', from: former, to: transactionalId });
    return kafka.open(transactionalId, sentTopics(store));
  }

  /** Before anything is delivered, however often it takes. */
  async #renameLanes(): Promise<void> {
    await this.#lanes.rename(this.#options.transactionalId);
    for (const former of this.#id.former) await this.#options.store.leave(former);
    this.#isRenamed = true;
  }
}
