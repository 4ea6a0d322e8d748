/**
 * A TCP proxy that stands between us and a server and breaks things on demand: delays, cuts, swallows, or drops the
 * connection after a request has reached the server and before its reply has reached us (the answer is lost, the effect is not).
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createKafkaWire } from './kafka-wire.ts';
import { ProxyLink, type ProxyMode, type ProxyState, type ProxyTrap, type RequestMatch } from './proxy-link.ts';

export type { RequestMatch } from './proxy-link.ts';

export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

export interface ProxyOptions {
  /**
   * Speak Kafka: requests are told apart by API key, and answers that name brokers name the proxy instead, so that the
   * client stays behind it. The target must be what the broker advertises, on 127.0.0.1.
   */
  readonly kafka?: boolean;
  readonly port?: number;
  /** With `kafka`: a larger request breaks its connection, as Kafka's socket.request.max.bytes does. */
  readonly requestBytesMax?: number;
}

export interface FaultProxy extends ProxyTarget {
  /** Everything flows, from now on and what was held back. */
  pass(): void;
  /** Each chunk, both ways, arrives so much later. */
  delay(ms: number): void;
  /** Breaks all connections, and refuses new ones until `pass`. */
  cut(): void;
  /** Connections stay open and new ones are taken, but nothing comes through until `pass`. */
  blackHole(): void;
  /** New connections lead to this server; those that are there stay where they are. */
  leadTo(target: ProxyTarget): void;
  /** The next request that fits reaches the server; its reply is not delivered, the connection breaks. Resolves then. */
  cutBeforeReply(match?: RequestMatch): Promise<void>;
  /** The reply of the next request that fits comes so much later, and with it all that follows on its connection. */
  delayReply(match: RequestMatch, ms: number): Promise<void>;
  readonly connections: number;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';

export async function startProxy(target: ProxyTarget, options: ProxyOptions = {}): Promise<FaultProxy> {
  const proxy = new ProxyServer(target, options);
  await proxy.listen(options.port ?? 0);
  return proxy;
}

class ProxyServer implements FaultProxy, ProxyState {
  readonly host = HOST;
  target: ProxyTarget;
  readonly #kafka: boolean;
  readonly requestBytesMax: number;
  readonly #server: Server;
  readonly #links = new Set<ProxyLink>();
  mode: ProxyMode = { kind: 'pass' };
  trap: ProxyTrap | null = null;

  constructor(target: ProxyTarget, { kafka = false, requestBytesMax = Number.POSITIVE_INFINITY }: ProxyOptions) {
    this.target = target;
    this.#kafka = kafka;
    this.requestBytesMax = requestBytesMax;
    this.#server = createServer((client) => this.#accept(client));
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  get connections(): number {
    return this.#links.size;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, HOST);
    await once(this.#server, 'listening');
  }

  pass(): void {
    this.mode = { kind: 'pass' };
    this.trap = null;
    for (const link of this.#links) link.flush();
  }

  delay(ms: number): void {
    this.mode = { kind: 'delay', ms };
    for (const link of this.#links) link.flush();
  }

  cut(): void {
    this.mode = { kind: 'cut' };
    for (const link of [...this.#links]) link.break();
  }

  blackHole(): void {
    this.mode = { kind: 'hole' };
  }

  leadTo({ host, port }: ProxyTarget): void {
    this.target = { host, port };
  }

  cutBeforeReply(match: RequestMatch = {}): Promise<void> {
    return this.#setTrap(match, null);
  }

  delayReply(match: RequestMatch, ms: number): Promise<void> {
    return this.#setTrap(match, ms);
  }

  async stop(): Promise<void> {
    this.cut();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #setTrap(match: RequestMatch, delayMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      this.trap = { match, delayMs, sprung: resolve };
    });
  }

  #accept(client: Socket): void {
    if (this.mode.kind === 'cut') {
      client.destroy();
      return;
    }
    const wire = this.#kafka ? createKafkaWire(this.target, this.port) : null;
    const link = new ProxyLink(this, client, wire, () => this.#links.delete(link));
    this.#links.add(link);
  }
}
