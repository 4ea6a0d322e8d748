/** Fetch v10, read_committed unless told otherwise, without a fetch session and without a group: reading leaves nothing behind. */
import type { AbortedTransaction } from './read-record-batches.ts';
import type { WireRequest } from './request.ts';

export interface FetchPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly code: number;
  readonly lastStableOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  readonly set: Buffer;
}

export interface FetchLimits {
  readonly waitMs: number;
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
}

export const fetchRecords = (
  positions: readonly FetchPosition[],
  limits: FetchLimits,
  isolation: 'committed' | 'uncommitted' = 'committed',
): WireRequest<{ code: number; partitions: FetchedPartition[] }> => ({
  api: 1,
  name: 'Fetch',
  version: 10,
  write: (writer) => {
    writer.int32(-1).int32(limits.waitMs).int32(1).int32(limits.bytesMax);
    writer.int8(isolation === 'committed' ? 1 : 0);
    writer.int32(0).int32(-1); // no fetch session
    writer.array(positions, ({ topic, partition, offset }) => {
      writer.string(topic).int32(1);
      writer.int32(partition).int32(-1).int64(offset).int64(-1).int32(limits.partitionBytesMax);
    });
    writer.int32(0);
  },
  read: (reader) => {
    reader.int32();
    const code = reader.int16();
    reader.int32();
    const partitions = reader.array(() => {
      const topic = reader.string() ?? '';
      return reader.array(() => {
        const partition = reader.int32();
        const partitionCode = reader.int16();
        reader.int64(); // high watermark
        const lastStableOffset = reader.int64();
        reader.int64(); // log start
        const aborted = reader.array(() => ({
          producerId: reader.int64(),
          firstOffset: reader.int64(),
        }));
        return { topic, partition, code: partitionCode, lastStableOffset, aborted, set: reader.bytesOf() };
      });
    });
    return { code, partitions: partitions.flat() };
  },
});
