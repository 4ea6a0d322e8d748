/**
 * Why there is no coordinator: Kafka keeps transactions and offsets in two topics of its own, which it makes with their first use, with
 * as many replicas as the brokers' settings say. With fewer brokers than that, or fewer replicas in step than a write needs, every
 * question to a coordinator is answered with COORDINATOR_NOT_AVAILABLE for good, and only the brokers' logs say why.
 */
import { asRelayError, RelayError } from '#runtime';
import type { Brokers } from './brokers.ts';
import { CODE } from './fault-table.ts';
import type { CoordinatorKind } from './wire/cluster-requests.ts';
import { describeConfigs, describeTopicStates, type PartitionState } from './wire/inspect-requests.ts';

interface InternalTopic {
  readonly topic: string;
  readonly factor: string;
  /** The brokers' setting that becomes the topic's `min.insync.replicas`, or stands in for it. */
  readonly minInSync: string;
}

const TOPICS: Readonly<Record<CoordinatorKind, InternalTopic>> = {
  transaction: {
    topic: '__transaction_state',
    factor: 'transaction.state.log.replication.factor',
    minInSync: 'transaction.state.log.min.isr',
  },
  group: {
    topic: '__consumer_offsets',
    factor: 'offsets.topic.replication.factor',
    minInSync: 'min.insync.replicas',
  },
};

const MIN_IN_SYNC = 'min.insync.replicas';
const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The value as a number; null where we may not ask. */
async function numbersOf(
  brokers: Brokers,
  kind: 'broker' | 'topic',
  name: string,
  nodeId: number,
  settings: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const link = await brokers.node(nodeId);
  const [config] = await link.ask(describeConfigs([{ kind, name }], settings));
  if (config?.code !== CODE.none) return new Map();
  const numbers = [...config.values].map(([key, value]) => [key, Number(value)] as const);
  return new Map(numbers.filter(([, value]) => Number.isSafeInteger(value) && value > 0));
}

/** A topic that is not there yet. */
async function explainUnmade(
  brokers: Brokers,
  { topic, factor, minInSync }: InternalTopic,
  nodeIds: readonly number[],
) {
  const [first] = nodeIds;
  if (first === undefined) return null;
  const numbers = await numbersOf(brokers, 'broker', String(first), first, [factor, minInSync]);
  const replicas = numbers.get(factor);
  if (replicas === undefined) return null;
  if (replicas > nodeIds.length) {
    return `Kafka cannot make ${topic}: ${factor} is ${replicas} and the cluster has ${plural(nodeIds.length, 'broker')}; set it to ${nodeIds.length} in the brokers' server.properties and restart them, or start more brokers`;
  }
  const least = numbers.get(minInSync) ?? 1;
  if (least <= replicas) return null;
  return `no write to ${topic} can succeed: ${minInSync} is ${least} and ${factor} only ${replicas}; set ${minInSync} to ${replicas} or less in the brokers' server.properties and restart them`;
}

async function explainMade(
  brokers: Brokers,
  { topic, minInSync }: InternalTopic,
  nodeId: number,
  partitions: readonly PartitionState[],
) {
  const headless = partitions.filter(({ leader }) => leader < 0);
  const which = (some: readonly PartitionState[]) => {
    const [one] = some;
    return `${some.length === 1 ? 'partition' : `${some.length} partitions, such as`} ${one?.partition} of ${topic}`;
  };
  if (headless.length > 0) return `${which(headless)} has no leader: start the brokers that hold its replicas`;
  const least = (await numbersOf(brokers, 'topic', topic, nodeId, [MIN_IN_SYNC])).get(MIN_IN_SYNC) ?? 1;
  const short = partitions.filter(({ inSync }) => inSync < least);
  const [one] = short;
  if (one === undefined) return null;
  const mend =
    one.replicas < least
      ? `lower its min.insync.replicas (${minInSync} of the brokers when it was made), or give it more replicas`
      : 'start the brokers that are away';
  return `${which(short)} has ${plural(one.inSync, 'replica')} in sync and a write needs ${least} (min.insync.replicas): ${mend}`;
}

/** `unmade`: only what waiting cannot mend, which is that Kafka can never make the topic as it is set up. */
type Asked = 'unmade' | 'all';

async function look(brokers: Brokers, kind: CoordinatorKind, asked: Asked = 'all'): Promise<string | null> {
  const internal = TOPICS[kind];
  const cluster = await brokers.describe([]);
  const nodeIds = cluster.brokers.map(({ nodeId }) => nodeId);
  const [state] = await (await brokers.any()).ask(describeTopicStates([internal.topic]));
  if (state?.code === CODE.unknownTopic) return await explainUnmade(brokers, internal, nodeIds);
  const [first] = nodeIds;
  if (state?.code !== CODE.none || first === undefined || asked === 'unmade') return null;
  return await explainMade(brokers, internal, first, state.partitions);
}

/** Null where nothing is wrong that we may see. Never rejects: it is asked beside another fault. */
export async function explainCoordinator(
  brokers: Brokers,
  kind: CoordinatorKind,
  asked: Asked = 'all',
): Promise<string | null> {
  return look(brokers, kind, asked).catch(() => null);
}

/** Rejects with KAFKA_UNREACHABLE when one of the two topics can be seen to be of no use, or with the fault of asking. */
export async function requireCoordinators(brokers: Brokers): Promise<void> {
  for (const kind of ['transaction', 'group'] as const) {
    const why = await look(brokers, kind).catch((error: unknown) => {
      if (asRelayError(error).code === 'KAFKA_UNSUPPORTED') return null;
      throw error;
    });
    if (why !== null) throw new RelayError('KAFKA_UNREACHABLE', why, { details: { coordinator: kind } });
  }
}
