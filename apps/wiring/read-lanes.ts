/** Lanes as `status` shows them: the rows, what waits in each, and the markers where Kafka answers. */
import type { Config } from '#config';
import { createKafkaPortOn, createTopicAdmin, type KafkaConnection } from '#kafka-delivery';
import type { LaneBacklog, LaneRow, LaneState } from '#outbox';
import { asRelayError } from '#runtime';
import type { Operator } from './operator.ts';

/** A server that is not needed to read the status: whether it answers, and what it or its fault says. */
export interface ServerStatus {
  readonly reachable: boolean;
  readonly says: string;
}

export interface LaneStatus {
  readonly lane: number;
  readonly source: string;
  readonly state: LaneState;
  readonly why: string | null;
  readonly holder: string | null;
  readonly lease: 'running' | 'lapsed' | 'free';
  readonly claimEpoch: number;
  readonly deliveredId: number | null;
  /** As in Kafka; -1 where there is none, null when Kafka was not asked or did not answer. */
  readonly marker: number | null;
  readonly backlog: number;
  /** True: at least `backlog`. */
  readonly capped: boolean;
  readonly oldestAgeMs: number | null;
}

export interface ReadLanesOptions {
  /** As the operator's `kafkaConfig`. */
  readonly config: Config;
  readonly operator: Pick<Operator, 'listLanes' | 'outboxStatistics'>;
  /** Tries Kafka; a rejection says why it is away. */
  readonly kafka: () => Promise<KafkaConnection>;
}

/** Rejects with the database's faults only. */
export async function readLanes(
  options: ReadLanesOptions,
): Promise<{ readonly lanes: readonly LaneStatus[]; readonly kafka: ServerStatus }> {
  const rows = await options.operator.listLanes();
  const backlogs = await options.operator.outboxStatistics();
  const kafka = await lookAtKafka(options, rows);
  return { lanes: rows.map((lane) => laneStatus(lane, backlogs, kafka.markers)), kafka: kafka.status };
}

function laneStatus(
  lane: LaneRow,
  backlogs: readonly LaneBacklog[],
  markers: ReadonlyMap<number, number> | null,
): LaneStatus {
  const { holder, leaseExpired } = lane;
  const backlog = backlogs.find((each) => each.lane === lane.lane);
  return {
    lane: lane.lane,
    source: lane.source,
    state: lane.state,
    why: lane.why,
    holder,
    lease: holder === null ? 'free' : leaseExpired ? 'lapsed' : 'running',
    claimEpoch: lane.claimEpoch,
    deliveredId: lane.deliveredId,
    marker: markers?.get(lane.lane) ?? null,
    backlog: backlog?.rows ?? 0,
    capped: backlog?.capped ?? false,
    oldestAgeMs: backlog?.oldestAgeMs ?? null,
  };
}

async function lookAtKafka(
  { config, kafka }: ReadLanesOptions,
  lanes: readonly LaneRow[],
): Promise<{ readonly status: ServerStatus; readonly markers: ReadonlyMap<number, number> | null }> {
  const servers = config.kafka.bootstrapServers.join(',');
  try {
    const connection = await kafka();
    const markers = await readLaneMarkers(config, connection, lanes);
    if (markers !== null) return { status: { reachable: true, says: servers }, markers };
    const says = `${servers}; marker topic ${config.kafka.markerTopic} is missing or too small: run init`;
    return { status: { reachable: true, says }, markers: null };
  } catch (thrown) {
    return { status: { reachable: false, says: asRelayError(thrown).message }, markers: null };
  }
}

/** Markers by lane; null when the marker topic has no place for all of them. Empty in the at-least-once mode, which has none. */
export async function readLaneMarkers(
  config: Config,
  connection: KafkaConnection,
  lanes: readonly Pick<LaneRow, 'lane'>[],
): Promise<ReadonlyMap<number, number> | null> {
  if (config.deliveryMode !== 'exactly-once' || lanes.length === 0) return new Map();
  const admin = createTopicAdmin(connection);
  const port = createKafkaPortOn(connection);
  try {
    const topic = config.kafka.markerTopic;
    const partitions = (await admin.describeTopics([topic])).get(topic) ?? 0;
    const numbers = lanes.map(({ lane }) => lane);
    if (partitions <= Math.max(...numbers)) return null;
    return await port.readMarkers('lane', numbers);
  } finally {
    await port.close();
    await admin.close();
  }
}
