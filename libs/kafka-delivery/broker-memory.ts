/** What is known of broker addresses: which have answered lately, and which have not. Lives across sessions, in this process only. */
import type { Clock } from '#runtime';
import type { HostAndPort } from './broker-address.ts';

/** After that an address is as good as any other again. */
const MEMORY_MS = 10 * 60_000;

export class BrokerMemory {
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly answered: boolean; readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note({ host, port }: HostAndPort, answered: boolean): void {
    const nowMs = this.#clock.nowMs();
    for (const [name, { atMs }] of this.#known) if (nowMs - atMs > MEMORY_MS) this.#known.delete(name);
    this.#known.set(`${host}:${port}`, { answered, atMs: nowMs });
  }

  /** Those that answered first, then those never tried, then those that did not; among equals as given. */
  sort<T extends HostAndPort>(addresses: readonly T[]): T[] {
    return addresses
      .map((address, at) => ({ address, at, rank: this.#rank(address) }))
      .sort((a, b) => a.rank - b.rank || a.at - b.at)
      .map(({ address }) => address);
  }

  /** False of one that did not answer when it was last asked. */
  isTrusted(address: HostAndPort): boolean {
    return this.#rank(address) < 2;
  }

  #rank({ host, port }: HostAndPort): number {
    const known = this.#known.get(`${host}:${port}`);
    if (known === undefined || this.#clock.nowMs() - known.atMs > MEMORY_MS) return 1;
    return known.answered ? 0 : 2;
  }
}
