/** One link for each broker address, so that a seed and the node behind it share their sockets. */
import { addressText, RelayError } from '#runtime';
import type { HostAndPort } from './broker-address.ts';
import { type BrokerLink, createBrokerLink, type LinkLimits } from './broker-link.ts';
import type { BrokerFactory } from './kafkajs.ts';

export interface LinkPool {
  /** The link to the address, connected or not. Rejects with STOPPED after `close`. */
  to(address: HostAndPort): Promise<BrokerLink>;
  /** The longest that one of its brokers takes nothing more from us; 0: all take. */
  throttledMs(): number;
  close(): Promise<void>;
}

export function createLinkPool(factory: BrokerFactory, limits: LinkLimits): LinkPool {
  const links = new Map<string, Promise<BrokerLink>>();
  const made: BrokerLink[] = [];
  const make = async (address: HostAndPort): Promise<BrokerLink> => {
    const link = createBrokerLink(await factory.make(address), limits);
    made.push(link);
    return link;
  };
  let closed = false;
  return {
    async to(address) {
      if (closed) throw new RelayError('STOPPED', 'the Kafka connection was closed');
      const name = addressText(address.host, address.port);
      const link = links.get(name) ?? make(address);
      links.set(name, link);
      return link;
    },
    throttledMs: () => Math.max(0, ...made.map((link) => link.throttledMs())),
    async close() {
      closed = true;
      const settled = await Promise.allSettled(links.values());
      links.clear();
      await Promise.all(settled.map((link) => (link.status === 'fulfilled' ? link.value.drop() : undefined)));
    },
  };
}
