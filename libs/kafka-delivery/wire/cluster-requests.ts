/** Requests that find things: topics and their leaders, coordinators, committed offsets, log ends. */
import type { WireRequest } from './request.ts';

export interface BrokerAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface TopicDescription {
  readonly topic: string;
  readonly code: number;
  /** Ordered by partition; leader -1 while there is none. */
  readonly partitions: readonly {
    readonly partition: number;
    readonly leader: number;
    readonly replicas?: number;
    readonly inSync?: number;
  }[];
}

export interface ClusterDescription {
  readonly brokers: readonly BrokerAddress[];
  readonly controller: number;
  readonly topics: readonly TopicDescription[];
}

/** Asks only for the topics named: an empty list means none, so that a broken stranger's topic cannot fail us. Null: all. */
export const metadata = (topics: readonly string[] | null): WireRequest<ClusterDescription> => ({
  api: 3,
  name: 'Metadata',
  version: 4,
  write: (writer) => {
    if (topics === null) writer.int32(-1);
    else writer.array(topics, (topic) => writer.string(topic));
    writer.boolean(false); // never create a topic
  },
  read: (reader) => {
    reader.int32();
    const brokers = reader.array(() => {
      const broker = { nodeId: reader.int32(), host: reader.string() ?? '', port: reader.int32() };
      reader.string(); // rack
      return broker;
    });
    reader.string(); // cluster id
    const controller = reader.int32();
    const described = reader.array(() => {
      const code = reader.int16();
      const topic = reader.string() ?? '';
      reader.boolean();
      const partitions = reader.array(() => {
        reader.int16(); // its code says no more than a leader of -1
        const place = { partition: reader.int32(), leader: reader.int32() };
        const replicas = reader.array(() => reader.int32()).length;
        return { ...place, replicas, inSync: reader.array(() => reader.int32()).length };
      });
      return { topic, code, partitions: partitions.sort((a, b) => a.partition - b.partition) };
    });
    return { brokers, controller, topics: described };
  },
});

export type CoordinatorKind = 'group' | 'transaction';

export const findCoordinator = (
  kind: CoordinatorKind,
  key: string,
): WireRequest<{ code: number; broker: BrokerAddress }> => ({
  api: 10,
  name: 'FindCoordinator',
  version: 1,
  write: (writer) => {
    writer.string(key).int8(kind === 'group' ? 0 : 1);
  },
  read: (reader) => {
    reader.int32();
    const code = reader.int16();
    reader.string();
    return {
      code,
      broker: { nodeId: reader.int32(), host: reader.string() ?? '', port: reader.int32() },
    };
  },
});

export interface CommittedOffset {
  readonly partition: number;
  /** -1: none. */
  readonly offset: number;
  /** What was written with it. */
  readonly metadata: string;
  readonly code: number;
}

/**
 * OffsetFetch v7. With RequireStable (KIP-447), while a transaction that writes the offsets is open, the answer is
 * UNSTABLE_OFFSET_COMMIT instead of a number that may be about to change.
 */
export const fetchOffsets = (
  group: string,
  topic: string,
  partitions: readonly number[],
  requireStable: boolean,
): WireRequest<{ code: number; offsets: CommittedOffset[] }> => ({
  api: 9,
  name: 'OffsetFetch',
  version: 7,
  flexible: true,
  write: (writer) => {
    writer.compactString(group).compactArray([topic], (name) => {
      writer.compactString(name).compactArray(partitions, (partition) => writer.int32(partition));
      writer.noTags();
    });
    writer.boolean(requireStable).noTags();
  },
  read: (reader) => {
    reader.int32();
    const topics = reader.compactArray(() => {
      reader.compactString();
      const offsets = reader.compactArray(() => {
        const partition = reader.int32();
        const offset = reader.int64();
        reader.int32(); // leader epoch
        const metadata = reader.compactString() ?? '';
        const code = reader.int16();
        reader.skipTags();
        return { partition, offset, metadata, code };
      });
      reader.skipTags();
      return offsets;
    });
    return { code: reader.int16(), offsets: topics.flat() };
  },
});

export const EARLIEST = -2;
export const LATEST = -1;
/** What LATEST means: the end of what is written, or the last stable offset, before the first open transaction. */
const ISOLATION = { written: 0, stable: 1 } as const;
export type LogEnd = keyof typeof ISOLATION;

/** `when` may be a time too (milliseconds since the epoch): the first record that is not older, -1 where there is none. */
export const listOffsets = (
  topic: string,
  partitions: readonly number[],
  when: number,
  end: LogEnd = 'stable',
): WireRequest<{ partition: number; code: number; offset: number }[]> => ({
  api: 2,
  name: 'ListOffsets',
  version: 2,
  write: (writer) => {
    writer.int32(-1).int8(ISOLATION[end]);
    writer.array([topic], (name) => {
      writer.string(name).array(partitions, (partition) => writer.int32(partition).int64(when));
    });
  },
  read: (reader) => {
    reader.int32();
    return reader
      .array(() => {
        reader.string();
        return reader.array(() => {
          const partition = reader.int32();
          const code = reader.int16();
          reader.int64(); // timestamp
          return { partition, code, offset: reader.int64() };
        });
      })
      .flat();
  },
});
