/** The brokers of one cluster as seen by one user of it: seeds, nodes by id, leaders and coordinators. */
import { RelayError } from '#runtime';
import type { BrokerLink } from './broker-link.ts';
import { faultOfCode, faultOfThrown } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import type { BrokerFactory } from './kafkajs.ts';
import { createLinkPool, parseBroker } from './link-pool.ts';
import {
  type BrokerAddress,
  type ClusterDescription,
  type CoordinatorKind,
  findCoordinator,
  metadata,
} from './wire/cluster-requests.ts';
import { describeTopicIds, METADATA_WITH_IDS } from './wire/topic-id-requests.ts';

export interface Brokers {
  /** Any broker that answers, seeds included. Rejects with the last seed's fault when none does. */
  any(): Promise<BrokerLink>;
  /** Names, error codes and leaders of these topics, and the addresses of all nodes. */
  /** Null: all topics. */
  describe(topics: readonly string[] | null): Promise<ClusterDescription>;
  /** Their ids by name (KIP-516); missing topics are left out. Empty where the broker gives none (before Kafka 2.8). */
  topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** The node as last described. */
  node(nodeId: number): Promise<BrokerLink>;
  /** Kept until `forgetCoordinators`. The code is not 0 while there is none (yet). */
  coordinator(
    kind: CoordinatorKind,
    key: string,
  ): Promise<{ code: 0; link: BrokerLink } | { code: number; link: null }>;
  forgetCoordinators(): void;
  close(): Promise<void>;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

async function readTopicIds(link: BrokerLink, topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { api, version } = METADATA_WITH_IDS;
  if ((link.versions()[api]?.maxVersion ?? -1) < version) return new Map();
  const found = await link.ask(describeTopicIds(topics)).catch((error) => {
    throw faultOfThrown(error, { step: 'metadata' });
  });
  return new Map(found.topics.flatMap(({ topic, id }) => (id === null ? [] : [[topic, id] as const])));
}

export function createBrokers(settings: KafkaSettings, factory: BrokerFactory): Brokers {
  const seeds = shuffled(settings.brokers.map(parseBroker), settings.random);
  const pool = createLinkPool(factory, settings);
  const addresses = new Map<number, BrokerAddress>();
  const coordinators = new Map<string, number>();

  async function any(): Promise<BrokerLink> {
    let last: unknown = new RelayError('CONFIG_INVALID', 'no broker is configured');
    // Seeds first: nodes may be known by addresses that only exist inside their network.
    for (const address of [...seeds, ...addresses.values()]) {
      const link = await pool.to(address);
      try {
        await link.connect();
        return link;
      } catch (error) {
        last = error;
      }
    }
    throw faultOfThrown(last, { step: 'connect' });
  }

  async function describe(topics: readonly string[] | null): Promise<ClusterDescription> {
    const link = await any();
    const described = await link.ask(metadata(topics)).catch((error) => {
      throw faultOfThrown(error, { step: 'metadata' });
    });
    addresses.clear();
    for (const broker of described.brokers) addresses.set(broker.nodeId, broker);
    return described;
  }

  async function node(nodeId: number): Promise<BrokerLink> {
    const address = addresses.get(nodeId);
    if (!address) {
      throw new RelayError('KAFKA_UNREACHABLE', `broker ${nodeId} is not among the known ones`);
    }
    return pool.to(address);
  }

  async function coordinator(kind: CoordinatorKind, key: string) {
    const name = `${kind}:${key}`;
    const known = coordinators.get(name);
    // One that the cluster does not list any more has a successor.
    if (known !== undefined && addresses.has(known)) return { code: 0 as const, link: await node(known) };
    const place = { step: 'connect', api: 'FindCoordinator' } as const;
    const link = await any();
    const { code, broker } = await link.ask(findCoordinator(kind, key)).catch((error) => {
      throw faultOfThrown(error, place);
    });
    if (code !== 0) return { code, link: null };
    addresses.set(broker.nodeId, broker);
    coordinators.set(name, broker.nodeId);
    return { code: 0 as const, link: await pool.to(broker) };
  }

  return {
    any,
    describe,
    topicIds: async (topics) => readTopicIds(await any(), topics),
    node,
    coordinator,
    forgetCoordinators: () => coordinators.clear(),
    close: () => pool.close(),
  };
}

/** The fault of a coordinator that is not there. */
export const noCoordinator = (code: number): RelayError =>
  faultOfCode(code, { step: 'connect', api: 'FindCoordinator' });
