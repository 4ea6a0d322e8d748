/** Fetch v11, the last one by name that every broker since Kafka 2.4 speaks, as a consumer asks it. Without a fetch session. */
import type { WireRequest } from './request.ts';
import type { FetchByIdLimits, FetchedById, PartitionById } from './topic-id-requests.ts';
import type { WireReader } from './wire-reader.ts';

export type PartitionByName = Omit<PartitionById, 'topicId'> & { readonly topic: string };
export type FetchedByName = Omit<FetchedById, 'topicId'> & { readonly topic: string };

function readFetched(reader: WireReader, topic: string): FetchedByName {
  const partition = reader.int32();
  const code = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  const logStart = reader.int64();
  const aborted = reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }));
  const preferredReplica = reader.int32();
  const length = Math.max(reader.int32(), 0);
  const sized = reader.bytes.subarray(reader.offset - 4, reader.offset + length);
  reader.take(length);
  return { topic, partition, code, highWatermark, lastStableOffset, logStart, aborted, preferredReplica, sized };
}

export const fetchByName = (
  partitions: readonly PartitionByName[],
  { waitMs, bytesMin, bytesMax, isolation, rackId }: FetchByIdLimits,
): WireRequest<{ code: number; partitions: FetchedByName[] }> => ({
  api: 1,
  version: 11,
  name: 'Fetch',
  write: (writer) => {
    writer.int32(-1).int32(waitMs).int32(bytesMin).int32(bytesMax).int8(isolation).int32(0).int32(-1);
    writer.array([...Map.groupBy(partitions, ({ topic }) => topic)], ([topic, each]) => {
      writer.string(topic).array(each, ({ partition, offset, bytesMax: partitionBytesMax }) => {
        writer.int32(partition).int32(-1).int64(offset).int64(-1).int32(partitionBytesMax);
      });
    });
    writer.int32(0).string(rackId); // nothing is forgotten
  },
  read: (reader) => {
    reader.int32();
    const code = reader.int16();
    reader.int32(); // session
    const topics = reader.array(() => {
      const topic = reader.string() ?? '';
      return reader.array(() => readFetched(reader, topic));
    });
    return { code, partitions: topics.flat() };
  },
});
