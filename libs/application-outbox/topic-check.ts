/**
 * Looks at an event's topic before it is stored: is it there, and does it take a record of this size? Told in the business
 * transaction, which can still be rolled back, and not days later by a dead letter.
 */
import { type Clock, systemClock } from '#runtime';
import type { EncodedEvent } from './insert-statement.ts';
import { refuseEvent, topicOf } from './outbox-event.ts';
import type { EventCheck } from './outbox-repository.ts';

/** What is known of a topic. */
export interface TopicLimits {
  readonly exists: boolean;
  /** `max.message.bytes`; null: not known. */
  readonly recordBytesMax: number | null;
}

/** Rejects when it cannot be found out now. */
export type TopicLookup = (topic: string) => Promise<TopicLimits>;

export interface TopicCheckOptions {
  readonly lookup: TopicLookup;
  /** How long an answer is good. Default 60,000; a topic that is missing is asked for again each time. */
  readonly refreshMs?: number;
  /** Default: the system's. */
  readonly clock?: Pick<Clock, 'nowMs'>;
}

/** Batch header, the record's own lengths, and the headers that the relay adds: an upper bound. */
const RECORD_OVERHEAD_BYTES = 61 + 64 + 512;
const HEADER_OVERHEAD_BYTES = 10;
const TOPICS_MAX = 10_000;

/** Bytes that the record of an event has at most. */
export function recordBytes({ event, formatted }: EncodedEvent): number {
  const headers = Object.entries({ ...formatted.headers, ...event.headers });
  const headerBytes = headers.reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + HEADER_OVERHEAD_BYTES,
    0,
  );
  const keyBytes = Buffer.byteLength(event.key ?? event.aggregateId);
  return RECORD_OVERHEAD_BYTES + Buffer.byteLength(event.id) + keyBytes + headerBytes + (formatted.value?.length ?? 0);
}

/** Refuses events whose record is larger; needs nobody's answer. */
export function sizeCheck(recordBytesMax: number): (row: EncodedEvent) => void {
  return (row) => {
    const bytes = recordBytes(row);
    if (bytes <= recordBytesMax) return;
    throw refuseEvent(
      'too-large',
      `the record of an event has ${bytes} bytes, ${topicOf(row.event)} takes ${recordBytesMax}`,
    );
  };
}

/**
 * Refuses events whose topic is not there (`topic-missing`) or does not take so large a record (`too-large`). When Kafka does
 * not answer, the event passes: a business transaction never hangs on Kafka.
 */
export function topicCheck({ lookup, refreshMs = 60_000, clock = systemClock }: TopicCheckOptions): EventCheck {
  const known = new Map<string, { readonly limits: TopicLimits; readonly atMs: number }>();
  const limitsOf = async (topic: string): Promise<TopicLimits | null> => {
    const answer = known.get(topic);
    if (answer && clock.nowMs() - answer.atMs < refreshMs) return answer.limits;
    try {
      const limits = await lookup(topic);
      if (known.size >= TOPICS_MAX) known.clear();
      if (limits.exists) known.set(topic, { limits, atMs: clock.nowMs() });
      return limits;
    } catch {
      return answer?.limits ?? null;
    }
  };
  return async (row) => {
    const topic = topicOf(row.event);
    const limits = await limitsOf(topic);
    if (limits === null) return;
    if (!limits.exists) throw refuseEvent('topic-missing', `the topic ${topic} of an event does not exist`);
    if (limits.recordBytesMax !== null) sizeCheck(limits.recordBytesMax)(row);
  };
}
