/**
 * What a broker's throttling means for its sockets: nothing is sent while the broker takes nothing, and what is under way has so
 * much longer for its answer.
 */
import { type Clock, systemClock } from '#runtime';
import type { BrokerConnection } from './kafkajs.ts';
import type { WireRequest } from './wire/request.ts';

/** Longer throttling is not waited out here: the request goes, and the broker reads it when it reads again. */
const WAIT_MS_MAX = 30_000;
/** What a request under way gets on top of its deadline, at most. */
const EXTENSION_MS_MAX = 60_000;

const INT32_BYTES = 4;

/** What the answer says; 0 where it says nothing. `bodyAt` is behind the header. */
export function throttleOf({ throttleAt }: Pick<WireRequest<unknown>, 'throttleAt'>, payload: Buffer, bodyAt: number) {
  if (throttleAt === null || payload.length - bodyAt < INT32_BYTES) return 0;
  const at = throttleAt === 'end' ? payload.length - INT32_BYTES : bodyAt;
  return Math.max(0, payload.readInt32BE(at));
}

export class MutedSockets {
  readonly #clock: Clock;
  readonly #untilMs = new WeakMap<BrokerConnection, number>();
  readonly #closing = new AbortController();
  #latestMs = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** How long the socket that was muted last stays so. */
  get leftMs(): number {
    return Math.max(0, this.#latestMs - this.#clock.nowMs());
  }

  mute(connection: BrokerConnection, throttleMs: number, requestTimeoutMs: number): void {
    const untilMs = this.#clock.nowMs() + throttleMs;
    this.#untilMs.set(connection, Math.max(untilMs, this.#untilMs.get(connection) ?? 0));
    this.#latestMs = Math.max(untilMs, this.#latestMs);
    const extensionMs = Math.min(throttleMs, EXTENSION_MS_MAX);
    // kafkajs's own clock for its own deadlines.
    for (const request of connection.requestQueue.inflight.values()) {
      const neededMs = Date.now() - request.sentAt + extensionMs + requestTimeoutMs;
      request.requestTimeout = Math.max(request.requestTimeout, neededMs);
    }
  }

  /** Resolves when the socket is read again, after `WAIT_MS_MAX` at the latest. */
  async opened(connection: BrokerConnection): Promise<void> {
    const waitMs = (this.#untilMs.get(connection) ?? 0) - this.#clock.nowMs();
    if (waitMs > 0) await this.#clock.sleep(Math.min(waitMs, WAIT_MS_MAX), this.#closing.signal);
  }

  /** Nobody waits any more. */
  close(): void {
    this.#closing.abort();
  }
}
