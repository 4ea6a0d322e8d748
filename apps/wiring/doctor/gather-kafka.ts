/** Looks at Kafka: the cluster, and in the exactly-once mode what transactions and markers need. */
import type { Config } from '#config';
import {
  inspectCluster,
  inspectMarkerGroup,
  type KafkaConnection,
  type KnownProducer,
  listProducers,
  rehearseTransaction,
} from '#kafka-delivery';
import { LANES_MAX } from '#outbox';
import { asRelayError, RelayError, systemClock } from '#runtime';
import { readLaneMarkers } from '../read-lanes.ts';
import type { KafkaFacts } from './facts.ts';

export const OFFSETS_TOPIC = '__consumer_offsets';
export const TRANSACTIONS_TOPIC = '__transaction_state';

/** Between two looks at who delivers: a busy sender begins many transactions in that time. */
const LOOK_AGAIN_MS = 1_500;

/** The value, or the fault as one; faults of a cluster that is away are thrown. */
async function orFault<T>(look: () => Promise<T>): Promise<T | RelayError> {
  try {
    return await look();
  } catch (thrown) {
    return asRelayError(thrown);
  }
}

export interface GatherKafkaOptions {
  readonly config: Config;
  readonly connection: KafkaConnection;
  readonly targets: readonly string[];
  readonly noted: readonly string[] | null;
  /** Transactional ids of our senders now; null when the database cannot say. */
  readonly members: (() => Promise<ReadonlySet<string>>) | null;
}

/** Rejects when no broker answers. */
export async function gatherKafka(options: GatherKafkaOptions): Promise<KafkaFacts> {
  const { config, connection, targets } = options;
  const noted = options.noted?.filter((topic) => !targets.includes(topic)) ?? null;
  const { markerTopic, transactionalIdPrefix } = config.kafka;
  const transactional = config.deliveryMode === 'exactly-once';
  const internal = transactional ? [markerTopic, OFFSETS_TOPIC, TRANSACTIONS_TOPIC] : [];
  const cluster = await inspectCluster(connection, [...targets, ...(noted ?? []), ...internal]);
  if (!transactional) return { cluster, targets, noted, rehearsal: null, groups: [], markers: null, strangers: null };
  const strangers = await orFault(() => findStrangers(options));
  const rehearsal = await orFault(() => rehearseTransaction(connection, `${transactionalIdPrefix}.doctor`));
  const groups = [
    await orFault(() => inspectMarkerGroup(connection, 'lane')),
    await orFault(() => inspectMarkerGroup(connection, 'retry')),
  ];
  const count = Math.min(cluster.topics.get(markerTopic)?.partitions.length ?? 0, LANES_MAX);
  const lanes = Array.from({ length: count }, (_, lane) => ({ lane }));
  const markers = count === 0 ? null : await orFault(() => readLaneMarkers(config, connection, lanes));
  return {
    cluster,
    targets,
    noted,
    rehearsal,
    groups,
    markers: markers instanceof RelayError ? null : markers,
    strangers: strangers instanceof RelayError ? null : strangers,
  };
}

/** Members are read before the first look and after the second: a sender that left or joined in between is no stranger. */
async function findStrangers({ config, connection, members }: GatherKafkaOptions): Promise<KnownProducer[] | null> {
  if (members === null) return null;
  const earlier = await members();
  const before = new Map(
    (await listProducers(connection)).map(({ transactionalId, startedAtMs }) => [transactionalId, startedAtMs]),
  );
  await systemClock.sleep(LOOK_AGAIN_MS);
  const now = await listProducers(connection);
  const known = await members();
  const prefix = `${config.kafka.transactionalIdPrefix}.`;
  const isMember = (id: string) => earlier.has(id) || known.has(id);
  const isOwn = (id: string) => isMember(id) || id === `${prefix}doctor` || id.startsWith(`${prefix}cli-lane-`);
  // What a dead sender left stays as it is; a transaction begun since is by somebody alive.
  return now.filter((one) => !isOwn(one.transactionalId) && before.get(one.transactionalId) !== one.startedAtMs);
}
