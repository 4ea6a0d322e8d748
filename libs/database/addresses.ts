/**
 * The addresses that a host name stands for. After a fail-over a name may give the old server and the new one, or a replica beside
 * the primary: whoever connects tries each in turn, from the one that served last.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** More are not tried: each costs time, and the name is a balancer's then. */
const ADDRESSES_MAX = 8;

type Resolve = (host: string) => Promise<readonly { readonly address: string }[]>;
const resolveAll: Resolve = (host) => lookup(host, { all: true });

export class AddressBook {
  readonly #resolve: Resolve;
  #last: string | null = null;

  constructor(resolve: Resolve = resolveAll) {
    this.#resolve = resolve;
  }

  /** In the order to be tried; one null: connect by the name, which stands for one address, or for none that we know. */
  async of(host: string): Promise<readonly (string | null)[]> {
    if (isIP(host) !== 0) return [null];
    const found = await this.#resolve(host).catch(() => []);
    const addresses = [...new Set(found.map(({ address }) => address))];
    if (addresses.length < 2) return [null];
    const first = Math.max(0, addresses.indexOf(this.#last ?? ''));
    return [...addresses.slice(first), ...addresses.slice(0, first)].slice(0, ADDRESSES_MAX);
  }

  served(address: string | null): void {
    this.#last = address;
  }
}
