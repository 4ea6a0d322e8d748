/** How the cluster is set up where the guarantees depend on it: brokers, topics, their replicas and configuration. Changes nothing. */
import { addressText, asRelayError, type RelayError, withDeadline } from '#runtime';
import type { BrokerLink } from './broker-link.ts';
import type { Brokers } from './brokers.ts';
import type { KafkaConnection } from './connect-kafka.ts';
import { CODE, faultOfCode, faultOfThrown } from './fault-table.ts';
import { findMissingApi } from './preflight.ts';
import type { BrokerAddress } from './wire/cluster-requests.ts';
import {
  describeConfigs,
  describeFeatures,
  describeTopicStates,
  mayDo,
  type PartitionState,
  type TopicState,
} from './wire/inspect-requests.ts';

export type PartitionFacts = PartitionState;

export interface BrokerFacts {
  readonly nodeId: number;
  /** `host:port`. */
  readonly address: string;
  /** Why it could not be asked; null when it answered. */
  readonly fault: RelayError | null;
  /** An API that it does not speak as we need it, as `Produce version 7`; null when it speaks all. */
  readonly missingApi: string | null;
  /** Settings by name; null when we may not ask for them. */
  readonly config: ReadonlyMap<string, string> | null;
}

export interface TopicFacts {
  readonly topic: string;
  /** Null when the topic is there and we may describe it. */
  readonly fault: RelayError | null;
  readonly partitions: readonly PartitionFacts[];
  readonly config: ReadonlyMap<string, string> | null;
  /** Null: the broker did not say. */
  readonly mayRead: boolean | null;
  readonly mayWrite: boolean | null;
}

export interface ClusterFacts {
  readonly brokers: readonly BrokerFacts[];
  /** Finalized levels of the cluster's features; empty where the broker is too old to say. */
  readonly features: ReadonlyMap<string, number>;
  /** By name, one for each topic asked for. */
  readonly topics: ReadonlyMap<string, TopicFacts>;
}

const DEADLINE_MS = 30_000;

const BROKER_CONFIG: readonly string[] = [
  'auto.create.topics.enable',
  'default.replication.factor',
  'message.max.bytes',
  'min.insync.replicas',
  'offsets.retention.minutes',
  'offsets.topic.replication.factor',
  'socket.request.max.bytes',
  'transaction.max.timeout.ms',
  'transaction.partition.verification.enable',
  'transaction.state.log.min.isr',
  'transaction.state.log.replication.factor',
  'transactional.id.expiration.ms',
  'unclean.leader.election.enable',
];
const TOPIC_CONFIG: readonly string[] = [
  'cleanup.policy',
  'max.message.bytes',
  'message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms',
  'message.timestamp.type',
  'min.insync.replicas',
  'retention.bytes',
  'retention.ms',
  'unclean.leader.election.enable',
];

/** Values that are not hidden. */
function visible(values: ReadonlyMap<string, string | null>): ReadonlyMap<string, string> {
  return new Map([...values].flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])));
}

async function inspectBroker(brokers: Brokers, { nodeId, host, port }: BrokerAddress): Promise<BrokerFacts> {
  const about = { nodeId, address: addressText(host, port) };
  try {
    const link = await brokers.node(nodeId);
    await link.connect();
    const missing = findMissingApi(link.versions());
    const missingApi = missing === null ? null : `${missing.api} version ${missing.version}`;
    const resource = { kind: 'broker', name: String(nodeId) } as const;
    const [config] = await link.ask(describeConfigs([resource], BROKER_CONFIG));
    const allowed = config?.code === CODE.none;
    return { ...about, fault: null, missingApi, config: allowed ? visible(config.values) : null };
  } catch (error) {
    return { ...about, fault: faultOfThrown(error, { step: 'connect' }), missingApi: null, config: null };
  }
}

async function readFeatures(link: BrokerLink): Promise<ReadonlyMap<string, number>> {
  try {
    const { code, features } = await link.ask(describeFeatures());
    return code === CODE.none ? features : new Map();
  } catch (error) {
    if (asRelayError(error).code === 'KAFKA_UNSUPPORTED') return new Map();
    throw error;
  }
}

function topicFacts(state: TopicState, config: ReadonlyMap<string, string> | null): TopicFacts {
  const { topic, code, partitions, operations } = state;
  const found = code === CODE.none;
  return {
    topic,
    fault: found ? null : faultOfCode(code, { step: 'metadata', topic }),
    partitions: [...partitions].sort((a, b) => a.partition - b.partition),
    config: found ? config : null,
    mayRead: found ? mayDo(operations, 'read') : null,
    mayWrite: found ? mayDo(operations, 'write') : null,
  };
}

async function inspectTopics(link: BrokerLink, topics: readonly string[]): Promise<ReadonlyMap<string, TopicFacts>> {
  if (topics.length === 0) return new Map();
  const states = await link.ask(describeTopicStates(topics));
  const there = states
    .filter(({ code }) => code === CODE.none)
    .map(({ topic }) => ({ kind: 'topic', name: topic }) as const);
  const configs = there.length === 0 ? [] : await link.ask(describeConfigs(there, TOPIC_CONFIG));
  const byName = new Map(
    configs.filter(({ code }) => code === CODE.none).map(({ name, values }) => [name, visible(values)]),
  );
  return new Map(states.map((state) => [state.topic, topicFacts(state, byName.get(state.topic) ?? null)]));
}

async function look(brokers: Brokers, topics: readonly string[]): Promise<ClusterFacts> {
  const link = await brokers.any();
  const cluster = await brokers.describe([]);
  return {
    brokers: await Promise.all(cluster.brokers.map((address) => inspectBroker(brokers, address))),
    features: await readFeatures(link),
    topics: await inspectTopics(link, [...new Set(topics)]),
  };
}

/** Rejects with KAFKA_UNREACHABLE when no broker answers, and with the fault table's codes. */
export async function inspectCluster(connection: KafkaConnection, topics: readonly string[]): Promise<ClusterFacts> {
  const brokers = connection.brokers();
  try {
    return await withDeadline(look(brokers, topics), DEADLINE_MS, 'looking at the Kafka cluster').catch((error) => {
      throw faultOfThrown(error, { step: 'admin' });
    });
  } finally {
    await brokers.close();
  }
}
