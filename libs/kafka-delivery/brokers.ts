/** The brokers of one cluster as seen by one user of it: seeds, nodes by id, leaders and coordinators. */
import type { Throttle } from '#outbox';
import { RelayError, withDeadline } from '#runtime';
import { type HostAndPort, parseBroker } from './broker-address.ts';
import { type BrokerLink, createBrokerLink } from './broker-link.ts';
import { BrokerMemory } from './broker-memory.ts';
import { type FaultPlace, faultOfCode, faultOfThrown } from './fault-table.ts';
import { firstToConnect } from './first-to-connect.ts';
import type { KafkaSettings } from './kafka-options.ts';
import type { BrokerFactory } from './kafkajs.ts';
import { createLinkPool } from './link-pool.ts';
import { Throttles } from './throttles.ts';
import {
  type BrokerAddress,
  type ClusterDescription,
  type CoordinatorKind,
  findCoordinator,
  metadata,
} from './wire/cluster-requests.ts';
import type { WireRequest } from './wire/request.ts';
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
  /** Whether the broker of a link answers on a connection of its own, within 3 s. */
  answers(link: BrokerLink): Promise<boolean>;
  /** Whether the broker of a link has throttled us within the last minute. */
  hasThrottled(link: BrokerLink): boolean;
  /** As a session tells it: what was imposed on all users of the configuration, and how long this one has to wait. */
  throttle(): Throttle | null;
  close(): Promise<void>;
}

type AskOf = <Answer>(link: BrokerLink, request: WireRequest<Answer>, place: FaultPlace) => Promise<Answer>;

/** A broker that takes connections and does not answer comes last from then on. */
const askerOf =
  (memory: BrokerMemory): AskOf =>
  (link, request, place) =>
    link.ask(request).catch((error) => {
      const fault = faultOfThrown(error, place);
      if (fault.code === 'KAFKA_UNREACHABLE') memory.note(link, false);
      throw fault;
    });

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

async function readTopicIds(
  link: BrokerLink,
  topics: readonly string[],
  ask: AskOf,
): Promise<ReadonlyMap<string, string>> {
  const { api, version } = METADATA_WITH_IDS;
  if ((link.versions()[api]?.maxVersion ?? -1) < version) return new Map();
  const found = await ask(link, describeTopicIds(topics), { step: 'metadata' });
  return new Map(found.topics.flatMap(({ topic, id }) => (id === null ? [] : [[topic, id] as const])));
}

/** What users of one configuration know together. */
export interface BrokerLore {
  readonly memory: BrokerMemory;
  readonly throttles: Throttles;
}

export const newLore = ({ clock }: Pick<KafkaSettings, 'clock'>): BrokerLore => ({
  memory: new BrokerMemory(clock),
  throttles: new Throttles(clock),
});

export function createBrokers(settings: KafkaSettings, factory: BrokerFactory, lore = newLore(settings)): Brokers {
  const seeds = shuffled(settings.brokers.map(parseBroker), settings.random);
  const { memory, throttles } = lore;
  const onThrottle = (broker: string, throttleMs: number) => throttles.note(broker, throttleMs);
  const ask = askerOf(memory);
  const pool = createLinkPool(factory, { ...settings, onThrottle });
  const addresses = new Map<number, BrokerAddress>();
  const coordinators = new Map<string, number>();

  async function any(): Promise<BrokerLink> {
    // Seeds first: nodes may be known by addresses that only exist inside their network.
    const order = memory.sort([...seeds, ...addresses.values()]);
    const links = [...new Set(await Promise.all(order.map((address) => pool.to(address))))];
    if (links.length === 0) throw new RelayError('CONFIG_INVALID', 'no broker is configured');
    const standing = links.find((link) => link.isConnected() && memory.isTrusted(link));
    if (standing !== undefined) return standing;
    return firstToConnect(links, settings.clock, (link, answered) => memory.note(link, answered)).catch((error) => {
      throw faultOfThrown(error, { step: 'connect' });
    });
  }

  async function describe(topics: readonly string[] | null): Promise<ClusterDescription> {
    const described = await ask(await any(), metadata(topics), { step: 'metadata' });
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
    const { code, broker } = await ask(await any(), findCoordinator(kind, key), place);
    if (code !== 0) return { code, link: null };
    addresses.set(broker.nodeId, broker);
    coordinators.set(name, broker.nodeId);
    return { code: 0 as const, link: await pool.to(broker) };
  }

  return {
    any,
    describe,
    topicIds: async (topics) => readTopicIds(await any(), topics, ask),
    node,
    coordinator,
    forgetCoordinators: () => coordinators.clear(),
    answers: (link) => answers(factory, settings, link),
    hasThrottled: ({ host, port }) => throttles.has(`${host}:${port}`),
    throttle: () => {
      const worst = throttles.worst();
      return worst === null ? null : { ...worst, waitMs: pool.throttledMs() };
    },
    close: () => pool.close(),
  };
}

const ANSWER_DEADLINE_MS = 3_000;

async function answers(factory: BrokerFactory, settings: KafkaSettings, address: HostAndPort): Promise<boolean> {
  const link = createBrokerLink(await factory.make(address), settings);
  try {
    await withDeadline(link.ask(metadata([])), ANSWER_DEADLINE_MS, 'asking whether a broker answers');
    return true;
  } catch {
    return false;
  } finally {
    await link.drop();
  }
}

/** The fault of a coordinator that is not there. */
export const noCoordinator = (code: number): RelayError =>
  faultOfCode(code, { step: 'connect', api: 'FindCoordinator' });
