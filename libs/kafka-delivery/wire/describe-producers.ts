/** DescribeProducers (KIP-664, Kafka 2.8): who writes to a partition, and since where in a transaction, by its own log. */
import type { WireRequest } from './request.ts';
import type { TopicPartitions } from './transaction-requests.ts';

export interface ActiveProducer {
  readonly producerId: number;
  /** Of its last batch in the partition, the end of a transaction included, by the clock of the records. */
  readonly lastTimestampMs: number;
  /** Where its open transaction begins; -1: none is open. */
  readonly openFrom: number;
}

export interface PartitionProducers {
  readonly topic: string;
  readonly partition: number;
  /** Not 0: the broker does not lead the partition, or may not show it, and names no producers. */
  readonly code: number;
  readonly producers: readonly ActiveProducer[];
}

export const describeProducers = (topics: readonly TopicPartitions[]): WireRequest<readonly PartitionProducers[]> => ({
  api: 61,
  name: 'DescribeProducers',
  version: 0,
  flexible: true,
  write: (writer) => {
    writer.compactArray(topics, ({ topic, partitions }) => {
      writer
        .compactString(topic)
        .compactArray(partitions, (partition) => writer.int32(partition))
        .noTags();
    });
    writer.noTags();
  },
  read: (reader) => {
    reader.int32();
    const found = reader.compactArray(() => {
      const topic = reader.compactString() ?? '';
      const partitions = reader.compactArray(() => {
        const partition = reader.int32();
        const code = reader.int16();
        reader.compactString();
        const producers = reader.compactArray(() => {
          const producerId = reader.int64();
          reader.int32(); // epoch
          reader.int32(); // last sequence
          const lastTimestampMs = reader.int64();
          reader.int32(); // coordinator epoch
          const openFrom = reader.int64();
          reader.skipTags();
          return { producerId, lastTimestampMs, openFrom };
        });
        reader.skipTags();
        return { topic, partition, code, producers };
      });
      reader.skipTags();
      return partitions;
    });
    return found.flat();
  },
});
