/** Which partition a record goes to: the choice of the Java client, or the one of librdkafka. */
import { crc32 } from 'node:zlib';
import { murmur2 } from '#outbox';

export type Partitioner = 'java' | 'librdkafka';

/**
 * `java`: murmur2 of the key, as org.apache.kafka.clients.producer.internals.BuiltInPartitioner.
 * `librdkafka`: CRC-32 of the key, as its default consistent_random; there an empty key counts as none.
 * Without a key the records are spread by `spread`, which a retry repeats exactly.
 */
export function pickPartition(
  partitioner: Partitioner,
  key: Buffer | null,
  spread: number,
  partitions: number,
): number {
  if (key === null) return spread % partitions;
  if (partitioner === 'java') return (murmur2(key) & 0x7fffffff) % partitions;
  return key.length === 0 ? spread % partitions : crc32(key) % partitions;
}
