/** Requests that change nothing and tell how the cluster is set up: for the preflight and for `doctor`. */

import type { WireRequest } from './request.ts';
import type { WireReader } from './wire-reader.ts';

/** Numbers of the protocol's resource types. */
const RESOURCE = { topic: 2, broker: 4 } as const;

export interface ConfigResource {
  readonly kind: keyof typeof RESOURCE;
  /** A topic's name, or a broker's id as text: its configuration is asked of the broker itself. */
  readonly name: string;
}

export interface DescribedConfig {
  readonly name: string;
  readonly code: number;
  /** Null where the value is hidden. */
  readonly values: ReadonlyMap<string, string | null>;
}

/** Configuration by resource, only the settings named. A setting that the broker does not know is left out of the answer. */
export const describeConfigs = (
  resources: readonly ConfigResource[],
  names: readonly string[],
): WireRequest<readonly DescribedConfig[]> => ({
  api: 32,
  name: 'DescribeConfigs',
  version: 1,
  write: (writer) => {
    writer.array(resources, ({ kind, name }) => {
      writer
        .int8(RESOURCE[kind])
        .string(name)
        .array(names, (each) => writer.string(each));
    });
    writer.boolean(false);
  },
  read: (reader) => {
    reader.int32();
    return reader.array(() => {
      const code = reader.int16();
      reader.string(); // message
      reader.int8();
      const name = reader.string() ?? '';
      return { name, code, values: readConfigValues(reader) };
    });
  },
});

function readConfigValues(reader: WireReader): ReadonlyMap<string, string | null> {
  const values = new Map<string, string | null>();
  reader.array(() => {
    const name = reader.string() ?? '';
    values.set(name, reader.string());
    reader.boolean(); // read-only
    reader.int8(); // source
    reader.boolean(); // sensitive
    reader.array(() => {
      reader.string();
      reader.string();
      reader.int8();
    });
  });
  return values;
}

export interface PartitionState {
  readonly partition: number;
  /** -1: none. */
  readonly leader: number;
  readonly replicas: number;
  readonly inSync: number;
}

export interface TopicState {
  readonly topic: string;
  readonly code: number;
  readonly partitions: readonly PartitionState[];
  /** What we may do with it, as bits by operation number. */
  readonly operations: number;
}

/** Metadata v8 (Kafka 2.3): with replicas, and what we may do. Never creates a topic. */
export const describeTopicStates = (topics: readonly string[]): WireRequest<readonly TopicState[]> => ({
  api: 3,
  name: 'Metadata',
  version: 8,
  write: (writer) => {
    writer.array(topics, (topic) => writer.string(topic));
    writer.boolean(false).boolean(false).boolean(true);
  },
  read: (reader) => {
    reader.int32();
    reader.array(() => {
      reader.int32();
      reader.string();
      reader.int32();
      reader.string();
    });
    reader.string(); // cluster id
    reader.int32(); // controller
    return reader.array(() => {
      const code = reader.int16();
      const topic = reader.string() ?? '';
      reader.boolean();
      const partitions = reader.array(() => readPartition(reader));
      return { topic, code, partitions, operations: reader.int32() };
    });
  },
});

function readPartition(reader: WireReader): PartitionState {
  reader.int16(); // its code says no more than a leader of -1
  const partition = reader.int32();
  const leader = reader.int32();
  reader.int32(); // leader epoch
  const replicas = reader.array(() => reader.int32()).length;
  const inSync = reader.array(() => reader.int32()).length;
  reader.array(() => reader.int32()); // offline replicas
  return { partition, leader, replicas, inSync };
}

export interface GroupState {
  readonly code: number;
  /** `Dead` stands for a group that is not there. */
  readonly state: string;
  readonly members: number;
  readonly operations: number;
}

export const describeGroup = (group: string): WireRequest<GroupState> => ({
  api: 15,
  name: 'DescribeGroups',
  version: 3,
  write: (writer) => {
    writer.array([group], (name) => writer.string(name)).boolean(true);
  },
  read: (reader) => {
    reader.int32();
    const [found] = reader.array(() => {
      const code = reader.int16();
      reader.string();
      const state = reader.string() ?? '';
      reader.string(); // protocol type
      reader.string(); // protocol
      const members = reader.array(() => {
        for (let field = 0; field < 3; field += 1) reader.string();
        reader.bytesOf();
        reader.bytesOf();
      }).length;
      return { code, state, members, operations: reader.int32() };
    });
    return found ?? { code: 0, state: 'Dead', members: 0, operations: 0 };
  },
});

export interface TransactionState {
  /** As the coordinator calls it, such as `PrepareAbort`. */
  readonly state: string;
  readonly transactionalId: string;
  readonly code: number;
  /** When its last transaction began, open or ended, by its coordinator's clock; -1 before the first one. */
  readonly startedAtMs: number;
  /** Its last producer; the coordinator raises the epoch before it ends anything of an earlier one. */
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** Asked of the ids' own coordinator. Kafka 3.0 or newer. */
export const describeTransactions = (
  transactionalIds: readonly string[],
): WireRequest<{ code: number; transactions: readonly TransactionState[] }> => ({
  api: 65,
  name: 'DescribeTransactions',
  version: 0,
  flexible: true,
  write: (writer) => {
    writer.compactArray(transactionalIds, (id) => writer.compactString(id)).noTags();
  },
  read: (reader) => {
    reader.int32();
    const transactions = reader.compactArray(() => {
      const code = reader.int16();
      const transactionalId = reader.compactString() ?? '';
      const state = reader.compactString() ?? '';
      reader.int32(); // timeout
      const startedAtMs = reader.int64();
      const producerId = reader.int64();
      const producerEpoch = reader.int16();
      reader.compactArray(() => {
        reader.compactString();
        reader.compactArray(() => reader.int32());
        reader.skipTags();
      });
      reader.skipTags();
      return { transactionalId, code, state, startedAtMs, producerId, producerEpoch };
    });
    return { code: transactions.find(({ code }) => code !== 0)?.code ?? 0, transactions };
  },
});

/** Transactional ids that this broker coordinates, idle ones too; only those we may describe. Kafka 3.0 or newer. */
export const listTransactions = (): WireRequest<{ code: number; transactionalIds: readonly string[] }> => ({
  api: 66,
  name: 'ListTransactions',
  version: 0,
  flexible: true,
  write: (writer) => {
    const everything: readonly string[] = [];
    writer.compactArray(everything, (state) => writer.compactString(state));
    writer.compactArray(everything, () => undefined).noTags();
  },
  read: (reader) => {
    reader.int32();
    const code = reader.int16();
    reader.compactArray(() => reader.compactString()); // unknown filters
    const transactionalIds = reader.compactArray(() => {
      const id = reader.compactString() ?? '';
      reader.int64(); // producer id
      reader.compactString(); // state
      reader.skipTags();
      return id;
    });
    return { code, transactionalIds };
  },
});

const FINALIZED_FEATURES_TAG = 2;

/** Features the cluster has agreed on, by level: `metadata.version`, `transaction.version`, .. (ApiVersions v3, Kafka 2.4). */
export const describeFeatures = (): WireRequest<{ code: number; features: ReadonlyMap<string, number> }> => ({
  api: 18,
  name: 'ApiVersions',
  version: 3,
  flexible: true,
  plainAnswer: true,
  throttleAt: null,
  write: (writer) => {
    writer.compactString('kafka-row-sender').compactString('1').noTags();
  },
  read: (reader) => {
    const code = reader.int16();
    reader.compactArray(() => {
      for (let field = 0; field < 3; field += 1) reader.int16();
      reader.skipTags();
    });
    reader.int32();
    const features = new Map<string, number>();
    for (let tags = reader.unsignedVarint(); tags > 0; tags -= 1) {
      const tag = reader.unsignedVarint();
      const size = reader.unsignedVarint();
      const end = reader.offset + size;
      if (tag === FINALIZED_FEATURES_TAG) readFeatures(reader, features);
      reader.offset = end;
    }
    return { code, features };
  },
});

function readFeatures(reader: WireReader, features: Map<string, number>): void {
  reader.compactArray(() => {
    const name = reader.compactString() ?? '';
    features.set(name, reader.int16());
    reader.int16(); // lowest level
    reader.skipTags();
  });
}

/** Bits of authorized operations (KIP-430): numbers of the protocol's ACL operations. */
const OPERATION = { read: 3, write: 4, describe: 8 } as const;

/** Null when the broker did not say. */
export function mayDo(operations: number, operation: keyof typeof OPERATION): boolean | null {
  return operations === -(2 ** 31) ? null : (operations & (1 << OPERATION[operation])) !== 0;
}
