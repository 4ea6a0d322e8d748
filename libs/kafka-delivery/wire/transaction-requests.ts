/**
 * The requests that make a Kafka transaction, in versions that every broker from 2.5 to 4.x speaks.
 * Formats: kafka.apache.org/protocol. Error codes are returned, not thrown: the caller knows what they mean at its step.
 */
import type { WireRequest } from './request.ts';
import type { WireReader } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

/** What InitProducerId gave us: whoever holds an older epoch of the same transactional id is fenced. */
export interface ProducerIdentity {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** The first error of a request over many partitions, with the partition it is about; code 0 when there is none. */
export interface PartitionVerdict {
  readonly code: number;
  readonly topic: string | null;
  readonly partition: number | null;
}

/** What the broker says of the partitions that were fine in a request that failed for another one. */
const OPERATION_NOT_ATTEMPTED = 55;

const putIdentity = (writer: WireWriter, who: ProducerIdentity) =>
  writer.string(who.transactionalId).int64(who.producerId).int16(who.producerEpoch);

function firstFault(
  topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly code: number }[];
  }[],
): PartitionVerdict {
  for (const { topic, partitions } of topics) {
    for (const { partition, code } of partitions) {
      if (code !== 0 && code !== OPERATION_NOT_ATTEMPTED) return { code, topic, partition };
    }
  }
  return { code: 0, topic: null, partition: null };
}

function readVerdict(reader: WireReader): PartitionVerdict {
  reader.int32(); // throttle time
  return firstFault(
    reader.array(() => ({
      topic: reader.string() ?? '',
      partitions: reader.array(() => ({ partition: reader.int32(), code: reader.int16() })),
    })),
  );
}

function readCode(reader: WireReader): { code: number } {
  reader.int32(); // throttle time
  return { code: reader.int16() };
}

export const initProducerId = (
  transactionalId: string,
  transactionTimeoutMs: number,
): WireRequest<{ code: number; producerId: number; producerEpoch: number }> => ({
  api: 22,
  name: 'InitProducerId',
  version: 1,
  write: (writer) => {
    writer.string(transactionalId).int32(transactionTimeoutMs);
  },
  read: (reader) => {
    reader.int32();
    return { code: reader.int16(), producerId: reader.int64(), producerEpoch: reader.int16() };
  },
});

export const addPartitionsToTxn = (
  who: ProducerIdentity,
  topics: readonly TopicPartitions[],
): WireRequest<PartitionVerdict> => ({
  api: 24,
  name: 'AddPartitionsToTxn',
  version: 1,
  write: (writer) => {
    putIdentity(writer, who).array(topics, ({ topic, partitions }) => {
      writer.string(topic).array(partitions, (partition) => writer.int32(partition));
    });
  },
  read: readVerdict,
});

export const addOffsetsToTxn = (who: ProducerIdentity, group: string): WireRequest<{ code: number }> => ({
  api: 25,
  name: 'AddOffsetsToTxn',
  version: 1,
  write: (writer) => {
    putIdentity(writer, who).string(group);
  },
  read: readCode,
});

export const txnOffsetCommit = (
  who: ProducerIdentity,
  group: string,
  topic: string,
  offsets: readonly { readonly partition: number; readonly offset: number }[],
  metadata: string,
): WireRequest<PartitionVerdict> => ({
  api: 28,
  name: 'TxnOffsetCommit',
  version: 1,
  write: (writer) => {
    writer.string(who.transactionalId).string(group).int64(who.producerId).int16(who.producerEpoch);
    writer.array([topic], (name) => {
      writer.string(name).array(offsets, ({ partition, offset }) => {
        writer.int32(partition).int64(offset).string(metadata);
      });
    });
  },
  read: readVerdict,
});

/** A member of a consumer group, as the coordinator knows it: commits of anybody else, or of an older round, are refused. */
export interface GroupMember {
  readonly memberId: string;
  readonly generationId: number;
}

/** TxnOffsetCommit v3 (KIP-447): refused with ILLEGAL_GENERATION or UNKNOWN_MEMBER_ID when the group has moved on. */
export const txnOffsetCommitOfMember = (
  who: ProducerIdentity,
  group: string,
  { memberId, generationId }: GroupMember,
  topics: readonly {
    readonly topic: string;
    readonly offsets: readonly { readonly partition: number; readonly offset: number }[];
  }[],
  metadata = '',
): WireRequest<PartitionVerdict> => ({
  api: 28,
  name: 'TxnOffsetCommit',
  version: 3,
  flexible: true,
  write: (writer) => {
    writer.compactString(who.transactionalId).compactString(group).int64(who.producerId).int16(who.producerEpoch);
    writer.int32(generationId).compactString(memberId).compactNull();
    writer.compactArray(topics, ({ topic, offsets }) => {
      writer.compactString(topic).compactArray(offsets, ({ partition, offset }) => {
        writer.int32(partition).int64(offset).int32(-1).compactString(metadata).noTags();
      });
      writer.noTags();
    });
    writer.noTags();
  },
  read: (reader) => {
    reader.int32();
    return firstFault(
      reader.compactArray(() => {
        const topic = reader.compactString() ?? '';
        const partitions = reader.compactArray(() => {
          const verdict = { partition: reader.int32(), code: reader.int16() };
          reader.skipTags();
          return verdict;
        });
        reader.skipTags();
        return { topic, partitions };
      }),
    );
  },
});

export const endTxn = (who: ProducerIdentity, commit: boolean): WireRequest<{ code: number }> => ({
  api: 26,
  name: 'EndTxn',
  version: 1,
  write: (writer) => {
    putIdentity(writer, who).boolean(commit);
  },
  read: readCode,
});
