/** One client's connection through the fault proxy, with its own connection to the server. */
import { connect, type Socket } from 'node:net';
import type { KafkaWire } from './kafka-wire.ts';

/** Which request: of a Kafka API, or holding these bytes (SQL text for example); any when empty. */
export interface RequestMatch {
  readonly apiKey?: number;
  readonly text?: string;
}

export type ProxyMode =
  | { readonly kind: 'pass' | 'cut' | 'hole' }
  | {
      readonly kind: 'delay';
      readonly ms: number;
    };

/** What happens to the reply of the next request that fits: it comes later, or never because the connection breaks. */
export interface ProxyTrap {
  readonly match: RequestMatch;
  readonly delayMs: number | null;
  readonly sprung: () => void;
}

/** What all links of a proxy share; the proxy changes it while they run. */
export interface ProxyState {
  readonly target: { readonly host: string; readonly port: number };
  readonly mode: ProxyMode;
  trap: ProxyTrap | null;
  /** A larger request breaks its connection as soon as its size is read, as Kafka's socket.request.max.bytes does. */
  readonly requestBytesMax: number;
}

const SIZE_BYTES = 4;

/** Follows the frames of a stream by their sizes alone. */
class FrameSizes {
  #head: Buffer = Buffer.alloc(0);
  #left = 0;

  /** The largest frame that begins in the chunk. */
  largest(chunk: Buffer): number {
    let largest = 0;
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      const more = chunk.subarray(at, at + SIZE_BYTES - this.#head.length);
      this.#head = Buffer.concat([this.#head, more]);
      at += more.length;
      if (this.#head.length < SIZE_BYTES) break;
      this.#left = this.#head.readInt32BE(0);
      this.#head = Buffer.alloc(0);
      largest = Math.max(largest, this.#left);
    }
    return largest;
  }
}

/** One direction: chunks leave in the order they came, each not before its time. */
class Lane {
  readonly #to: Socket;
  readonly #queue: Buffer[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #lastDueMs = 0;

  constructor(to: Socket) {
    this.#to = to;
  }

  send(chunk: Buffer, delayMs: number): void {
    const nowMs = performance.now();
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + delayMs);
    if (this.#lastDueMs <= nowMs && this.#queue.length === 0) {
      this.#to.write(chunk);
      return;
    }
    this.#queue.push(chunk);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const next = this.#queue.shift();
      if (next !== undefined) this.#to.write(next);
    }, this.#lastDueMs - nowMs);
    this.#timers.add(timer);
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#queue.length = 0;
  }
}

export class ProxyLink {
  readonly #proxy: ProxyState;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #toClient: Lane;
  readonly #toServer: Lane;
  readonly #wire: KafkaWire | null;
  readonly #sizes = new FrameSizes();
  readonly #held: { readonly lane: Lane; readonly chunk: Buffer }[] = [];
  readonly #gone: () => void;
  #armed: ProxyTrap | null = null;
  #replyDelayMs = 0;

  constructor(proxy: ProxyState, client: Socket, wire: KafkaWire | null, gone: () => void) {
    this.#proxy = proxy;
    this.#client = client;
    this.#wire = wire;
    this.#gone = gone;
    this.#server = connect(proxy.target);
    this.#toClient = new Lane(client);
    this.#toServer = new Lane(this.#server);
    for (const socket of [client, this.#server]) {
      socket.setNoDelay(true);
      // The close that follows says all there is to say.
      socket.on('error', () => undefined);
    }
    client.on('close', () => this.break());
    this.#server.on('close', () => {
      // A black hole swallows the server's farewell, too.
      if (proxy.mode.kind !== 'hole') this.break();
    });
    client.on('data', (chunk: Buffer) => this.#fromClient(chunk));
    this.#server.on('data', (chunk: Buffer) => this.#fromServer(chunk));
  }

  break(): void {
    this.#toClient.stop();
    this.#toServer.stop();
    this.#client.destroy();
    this.#server.destroy();
    this.#gone();
  }

  /** Lets go what a black hole has swallowed. */
  flush(): void {
    this.#replyDelayMs = 0;
    for (const { lane, chunk } of this.#held.splice(0)) this.#send(lane, chunk);
    if (this.#server.destroyed) this.break();
  }

  #fromClient(chunk: Buffer): void {
    const { trap, requestBytesMax } = this.#proxy;
    if (requestBytesMax < Number.POSITIVE_INFINITY && this.#sizes.largest(chunk) > requestBytesMax) {
      this.break();
      return;
    }
    const caught =
      this.#wire === null
        ? trap !== null && chunk.includes(trap.match.text ?? '')
        : this.#wire.request(chunk, trap && (({ apiKey, frame }) => matches(trap.match, apiKey, frame)));
    if (caught) {
      this.#armed = trap;
      this.#proxy.trap = null;
    }
    this.#send(this.#toServer, chunk);
  }

  #fromServer(chunk: Buffer): void {
    // Without Kafka's correlation ids, the reply to a trapped request is whatever the server says next.
    const replies = this.#wire === null ? [{ frame: chunk, trapped: true }] : this.#wire.response(chunk);
    for (const { frame, trapped } of replies) {
      if (trapped && this.#armed !== null && this.#spring(this.#armed)) return;
      this.#send(this.#toClient, frame);
    }
  }

  /** True when the connection broke. */
  #spring(trap: ProxyTrap): boolean {
    this.#armed = null;
    if (trap.delayMs === null) this.break();
    else this.#replyDelayMs = trap.delayMs;
    trap.sprung();
    return trap.delayMs === null;
  }

  #send(lane: Lane, chunk: Buffer): void {
    const { mode } = this.#proxy;
    if (mode.kind === 'hole') {
      this.#held.push({ lane, chunk });
      return;
    }
    let delayMs = mode.kind === 'delay' ? mode.ms : 0;
    if (lane === this.#toClient) {
      delayMs += this.#replyDelayMs;
      // What follows waits behind this chunk anyway.
      this.#replyDelayMs = 0;
    }
    lane.send(chunk, delayMs);
  }
}

const matches = (match: RequestMatch, apiKey: number, frame: Buffer): boolean =>
  (match.apiKey === undefined || match.apiKey === apiKey) && (match.text === undefined || frame.includes(match.text));
