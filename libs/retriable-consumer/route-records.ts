/** Makes of what messages leave behind the records that Kafka gets: whole or in chunks, in an envelope, or another record instead. */
import { headerBytes, type MessageHeaders, type OutgoingMessage, splitMessage } from '#chunking';
import { pickPartition, type RoutedRecord } from '#kafka-delivery';
import { RelayError } from '#runtime';
import { ENVELOPE_HEADER, inEnvelope } from './envelope.ts';
import type { PendingGroup, PendingRecord } from './message.ts';

/** Below this a record has no room for the reason of a death. */
export const RECORD_BYTES_MIN = 4_000;
const RECORD_OVERHEAD_BYTES = 100;

export interface RouteWorld {
  /** What one record of the topic may take: a chunk, or a whole one that cannot be cut. */
  limitOf(topic: string, mayBeSplit: boolean): number;
  /** Rejects with KAFKA_TOPIC_MISSING. */
  partitionsOf(topic: string): Promise<number>;
}

const sizeOf = ({ key, value, headers }: OutgoingMessage): number =>
  (key?.length ?? 0) + (value?.length ?? 0) + headerBytes(headers) + RECORD_OVERHEAD_BYTES;

const wireHeaders = (headers: MessageHeaders): RoutedRecord['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as RoutedRecord['headers'];

/** The record or its chunks; null when it cannot be made to fit. */
function cut(record: PendingRecord, world: RouteWorld): readonly OutgoingMessage[] | null {
  const { key, value, headers } = record;
  const whole = { key, value, headers };
  const recordBytesMax = world.limitOf(record.topic, record.mayBeSplit);
  if (sizeOf(whole) <= recordBytesMax) return [whole];
  const withoutValue = sizeOf({ ...whole, value: null });
  // Where key and headers leave little room, a large value would make a great many chunks, each with all of them.
  if (!record.mayBeSplit || withoutValue > recordBytesMax / 2) return null;
  try {
    return splitMessage(whole, { recordBytesMax });
  } catch (thrown) {
    if (thrown instanceof RelayError && thrown.code === 'KAFKA_RECORD_REFUSED') return null;
    throw thrown;
  }
}

/** Rejects with KAFKA_RECORD_REFUSED or KAFKA_TOPIC_MISSING when the topic cannot take it. */
export async function routeRecord(record: PendingRecord, world: RouteWorld, spread: number): Promise<RoutedRecord[]> {
  const { topic, kind } = record;
  const count = await world.partitionsOf(topic);
  const parts = cut(record, world) ?? (kind === 'dead' ? cut(inEnvelope(record), world) : null);
  if (parts === null) {
    const details = { topic, recordBytesMax: world.limitOf(topic, record.mayBeSplit) };
    throw new RelayError('KAFKA_RECORD_REFUSED', `a record for topic ${topic} is too large`, { details });
  }
  return parts.map(({ key, value, headers }) => {
    const partition = record.partition ?? pickPartition('java', key, spread, count);
    return { topic, key, value, headers: wireHeaders(headers), spread, partition };
  });
}

const REASONS: Readonly<Record<PendingRecord['kind'], Readonly<Record<'missing' | 'refused', string>>>> = {
  retry: { missing: 'retry-topic-missing', refused: 'retry-refused' },
  output: { missing: 'output-topic-missing', refused: 'output-refused' },
  // Never used: there is nothing to write instead of a dead letter.
  dead: { missing: 'dead', refused: 'dead' },
};

/** Its records, or its message's dead letter where one of them cannot be written. Rejects when that cannot be either. */
export async function routeGroup(group: PendingGroup, world: RouteWorld, spread: number): Promise<RoutedRecord[]> {
  const { records, bury } = group;
  const routed: RoutedRecord[] = [];
  for (const record of records) {
    try {
      routed.push(...(await routeRecord(record, world, spread)));
    } catch (thrown) {
      const code = thrown instanceof RelayError ? thrown.code : null;
      if (bury === null || (code !== 'KAFKA_TOPIC_MISSING' && code !== 'KAFKA_RECORD_REFUSED')) throw thrown;
      const reason = REASONS[record.kind][code === 'KAFKA_TOPIC_MISSING' ? 'missing' : 'refused'];
      return await routeRecord(bury(reason, thrown), world, spread);
    }
  }
  return routed;
}

/** The dead letter of a group that the broker has refused; for a refused dead letter, the same in an envelope. */
export function replacementOf({ records, bury }: PendingGroup, error: unknown): PendingGroup {
  const [first] = records;
  // In an envelope already: its topic takes nothing, and is waited for.
  if (bury === null && records.every(({ headers }) => headers[ENVELOPE_HEADER] !== undefined)) return { records, bury };
  if (bury !== null) return { records: [bury(REASONS[first?.kind ?? 'output'].refused, error)], bury: null };
  return { records: records.map(inEnvelope), bury: null };
}

export const routedBytes = ({ key, value, headers }: RoutedRecord): number =>
  sizeOf({ key, value, headers: headers as MessageHeaders });
