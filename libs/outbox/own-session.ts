/**
 * A sender's own producer session. Opening it fences whatever ran under our id before; only then are the leases renewed and
 * the markers read, in this order, so that a paused sender can never deliver for a lane that was taken.
 */
import type { HeldLanes } from './held-lanes.ts';
import type { ProducerSession } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';
import { sentTopics } from './sent-topics.ts';

export class OwnSession {
  readonly #options: SenderOptions;
  readonly #lanes: HeldLanes;
  readonly #onDrop: () => void;
  #session: ProducerSession | null = null;
  /** True once leases were renewed and markers read under the present session. */
  #verified = false;
  #verifications = 0;

  constructor(options: SenderOptions, lanes: HeldLanes, onDrop: () => void) {
    this.#options = options;
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
      await this.#lanes.verify(session);
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
    this.#session = await kafka.open(transactionalId, sentTopics(store));
    return this.#session;
  }
}
