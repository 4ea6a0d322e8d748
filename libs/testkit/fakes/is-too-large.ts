/** Whether a record of the fake Kafka is larger than its bound. */
import type { DeliveryRecord } from '#outbox';

/** More than the headers of a record take. */
const HEADERS_ROOM = 10_000;

/** Headers are made when they are asked for, which a record far from the bound is spared. */
export function isTooLarge(record: DeliveryRecord, bytesMax: number): boolean {
  const bare = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  if (bare + 2 * record.size + HEADERS_ROOM < bytesMax) return false;
  return Object.entries(record.headers).reduce((sum, [name, held]) => sum + name.length + held.length, bare) > bytesMax;
}
