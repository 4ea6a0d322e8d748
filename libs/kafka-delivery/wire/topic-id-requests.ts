/**
 * Requests that tell a topic from another one of the same name, by its id (KIP-516): a topic that is deleted and made anew
 * gets another id. Metadata v10 needs Kafka 2.8, Fetch v13 needs Kafka 3.1.
 */
import type { AbortedTransaction } from './read-record-batches.ts';
import type { WireRequest } from './request.ts';
import type { WireReader } from './wire-reader.ts';

export interface IdentifiedPartition {
  readonly code: number;
  readonly partition: number;
  /** -1 while there is none. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
  readonly offline: readonly number[];
}

export interface IdentifiedTopic {
  readonly code: number;
  readonly topic: string;
  /** Null where the topic is missing, and in clusters that give no ids. */
  readonly id: string | null;
  readonly partitions: readonly IdentifiedPartition[];
}

export interface IdentifiedCluster {
  readonly brokers: readonly {
    readonly nodeId: number;
    readonly host: string;
    readonly port: number;
    readonly rack: string | null;
  }[];
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly topics: readonly IdentifiedTopic[];
}

export const METADATA_WITH_IDS = { api: 3, version: 10 } as const;
export const FETCH_BY_ID = { api: 1, version: 13 } as const;

const readNodes = (reader: WireReader): number[] => reader.compactArray(() => reader.int32());

function readPartition(reader: WireReader): IdentifiedPartition {
  const code = reader.int16();
  const partition = reader.int32();
  const leader = reader.int32();
  reader.int32(); // leader epoch
  const replicas = readNodes(reader);
  const inSync = readNodes(reader);
  const offline = readNodes(reader);
  reader.skipTags();
  return { code, partition, leader, replicas, inSync, offline };
}

function readTopic(reader: WireReader): IdentifiedTopic {
  const code = reader.int16();
  const topic = reader.compactString() ?? '';
  const id = reader.uuid();
  reader.boolean(); // internal
  const partitions = reader.compactArray(() => readPartition(reader));
  reader.int32(); // what we may do
  reader.skipTags();
  return { code, topic, id, partitions };
}

/** Asks only for the topics named, and never creates one. */
export const describeTopicIds = (topics: readonly string[]): WireRequest<IdentifiedCluster> => ({
  ...METADATA_WITH_IDS,
  name: 'Metadata',
  flexible: true,
  write: (writer) => {
    writer.compactArray(topics, (topic) => writer.uuid('A'.repeat(22)).compactString(topic).noTags());
    writer.boolean(false).boolean(false).boolean(false).noTags();
  },
  read: (reader) => {
    reader.int32();
    const brokers = reader.compactArray(() => {
      const nodeId = reader.int32();
      const host = reader.compactString() ?? '';
      const port = reader.int32();
      const rack = reader.compactString();
      reader.skipTags();
      return { nodeId, host, port, rack };
    });
    const clusterId = reader.compactString();
    const controllerId = reader.int32();
    return { brokers, clusterId, controllerId, topics: reader.compactArray(() => readTopic(reader)) };
  },
});

export interface PartitionById {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly bytesMax: number;
}

export interface FetchByIdLimits {
  readonly waitMs: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly isolation: number;
  readonly rackId: string;
}

export interface FetchedById {
  readonly topicId: string | null;
  readonly partition: number;
  readonly code: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStart: number;
  readonly aborted: readonly AbortedTransaction[];
  /** -1: the leader itself. */
  readonly preferredReplica: number;
  /** The record batches, behind four bytes that hold their size: the form of older versions, which kafkajs reads. */
  readonly sized: Buffer;
}

function readFetched(reader: WireReader, topicId: string | null): FetchedById {
  const partition = reader.int32();
  const code = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  const logStart = reader.int64();
  const aborted = reader.compactArray(() => {
    const transaction = { producerId: reader.int64(), firstOffset: reader.int64() };
    reader.skipTags();
    return transaction;
  });
  const preferredReplica = reader.int32();
  const { length } = reader.compactBytes();
  // The bytes in front of the records have been read: the size goes in their place, so that nothing is copied.
  const sized = reader.bytes.subarray(reader.offset - length - 4, reader.offset);
  sized.writeInt32BE(length, 0);
  reader.skipTags();
  return { topicId, partition, code, highWatermark, lastStableOffset, logStart, aborted, preferredReplica, sized };
}

/**
 * A broker answers UNKNOWN_TOPIC_ID or INCONSISTENT_TOPIC_ID for a topic that is gone, whatever has its name now: what is
 * answered is of the topic asked for. Without a fetch session.
 */
export const fetchById = (
  partitions: readonly PartitionById[],
  { waitMs, bytesMin, bytesMax, isolation, rackId }: FetchByIdLimits,
): WireRequest<{ code: number; partitions: FetchedById[] }> => ({
  ...FETCH_BY_ID,
  name: 'Fetch',
  flexible: true,
  write: (writer) => {
    writer.int32(-1).int32(waitMs).int32(bytesMin).int32(bytesMax).int8(isolation).int32(0).int32(-1);
    writer.compactArray([...Map.groupBy(partitions, ({ topicId }) => topicId)], ([topicId, each]) => {
      writer.uuid(topicId).compactArray(each, ({ partition, offset, bytesMax: partitionBytesMax }) => {
        writer.int32(partition).int32(-1).int64(offset).int32(-1).int64(-1).int32(partitionBytesMax).noTags();
      });
      writer.noTags();
    });
    writer
      .compactArray([], () => undefined)
      .compactString(rackId)
      .noTags();
  },
  read: (reader) => {
    reader.int32();
    const code = reader.int16();
    reader.int32(); // session
    const topics = reader.compactArray(() => {
      const topicId = reader.uuid();
      const fetched = reader.compactArray(() => readFetched(reader, topicId));
      reader.skipTags();
      return fetched;
    });
    return { code, partitions: topics.flat() };
  },
});
