/** What a record takes on its way, as a batch of its own. */
import type { DeliveryRecord } from '#outbox';
import type { KafkaSettings } from './kafka-options.ts';
import { batchBytesOf, writeRecordBatch } from './wire/record-batch.ts';
import { WireWriter } from './wire/wire-writer.ts';

const NO_PRODUCER = {
  producerId: -1,
  producerEpoch: -1,
  firstSequence: -1,
  transactional: true,
  timestampMs: 0,
} as const;

/**
 * What it takes where that is more than `limit`, and null where it is not, or where it cannot be told: a value that is not at hand
 * and would be compressed. A record whose value is not at hand counts with what it takes at least.
 */
export async function bytesAbove(
  limit: number,
  record: DeliveryRecord,
  { compression }: Pick<KafkaSettings, 'compression'>,
): Promise<number | null> {
  const plain = batchBytesOf(record, record.value?.length ?? record.valueBytes ?? null);
  if (plain <= limit) return null;
  if (compression === 'none') return plain;
  if (record.valueBytes !== undefined) return null;
  const writer = new WireWriter();
  await writeRecordBatch(writer, [record], 0, { ...NO_PRODUCER, compression, bytesMax: 0 });
  return writer.offset > limit ? writer.offset : null;
}
