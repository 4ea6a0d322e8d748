/**
 * Lets the writers of one deployment share the sources out: every writer may lead any free source at once, so that fail-over
 * is fast, and one that leads more than its share hands a source over to a writer that is known to live.
 */
import type { SenderStore } from '#outbox';
import { asRelayError, type Clock, type Logger } from '#runtime';
import { WRITER_TICK_MS } from '../wiring/pace.ts';

/** A writer silent for this long is no longer counted. */
const MEMBER_TTL_MS = 10_000;
/** Hand-overs are rare on purpose: a writer that cannot lead must not make sources go to and fro. */
const HAND_OVER_PAUSE_MS = 30_000;

export class SourceShares {
  readonly #store: Pick<SenderStore, 'heartbeat' | 'leave'>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #writerId: string;
  readonly #sources: number;
  readonly #leading = new Set<string>();
  #live = 1;
  #handedOverAtMs: number | null = null;

  constructor(options: {
    readonly store: Pick<SenderStore, 'heartbeat' | 'leave'>;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly writerId: string;
    readonly sources: number;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#writerId = options.writerId;
    this.#sources = options.sources;
  }

  began(source: string): void {
    this.#leading.add(source);
  }

  ended(source: string): void {
    this.#leading.delete(source);
  }

  get leading(): ReadonlySet<string> {
    return this.#leading;
  }

  shouldHandOver(): boolean {
    if (this.#leading.size <= Math.ceil(this.#sources / this.#live)) return false;
    const nowMs = this.#clock.nowMs();
    if (this.#handedOverAtMs !== null && nowMs - this.#handedOverAtMs < HAND_OVER_PAUSE_MS) return false;
    this.#handedOverAtMs = nowMs;
    return true;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const live = await this.#store.heartbeat({ id: this.#writerId, kind: 'writer' }, MEMBER_TTL_MS);
        this.#live = Math.max(1, live.length);
      } catch (thrown) {
        const error = asRelayError(thrown);
        if (error.verdict === 'fatal') throw error;
        this.#logger.debug({ err: error }, 'no heartbeat');
      }
      await this.#clock.sleep(WRITER_TICK_MS, signal);
    }
    await this.#store.leave(this.#writerId).catch(() => undefined);
  }
}
