/** DescribeProducers (KIP-664, Kafka 2.8): who has a transaction open in a partition, by the partition's own log. */
import type { WireRequest } from './request.ts';
import type { TopicPartitions } from './transaction-requests.ts';

export interface OpenTransaction {
  readonly topic: string;
  readonly partition: number;
  readonly producerId: number;
}

/** Of the partitions that this broker leads; those it does not lead or may not show are left out of the answer. */
export const describeProducers = (topics: readonly TopicPartitions[]): WireRequest<readonly OpenTransaction[]> => ({
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
        reader.int16(); // a partition with an error names no producers
        reader.compactString();
        const producers = reader.compactArray(() => {
          const producerId = reader.int64();
          reader.int32(); // epoch
          reader.int32(); // last sequence
          reader.int64(); // last timestamp
          reader.int32(); // coordinator epoch
          const startOffset = reader.int64();
          reader.skipTags();
          return { producerId, startOffset };
        });
        reader.skipTags();
        return producers
          .filter(({ startOffset }) => startOffset >= 0)
          .map(({ producerId }) => ({ topic, partition, producerId }));
      });
      reader.skipTags();
      return partitions.flat();
    });
    return found.flat();
  },
});
