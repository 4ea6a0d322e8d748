/**
 * Rank 3: a consumer that drops no message. Handlers run in a pool; an offset is committed when no unfinished message precedes
 * it; a failed message goes to a retry topic, or waits in its order, and in the end to the dead letters.
 * After a crash the uncommitted messages are read again: each is handled at least once. A retry or dead letter is written in
 * one Kafka transaction with the offset that passes its message: exactly once.
 */

export type { RetriableConsumer } from './consumer-handle.ts';
export type { ConsumerMetrics } from './consumer-metrics.ts';
export { createConsumerMetrics } from './consumer-metrics.ts';
export type { ConsumerOptions, Ordering, TopicOptions } from './consumer-options.ts';
export { createRetriableConsumer } from './create-retriable-consumer.ts';
export { ENVELOPE_HEADER, fromEnvelope } from './envelope.ts';
export type { ConsumedMessage, Handler, HandlerContext, Origin, PendingRecord, ProducedRecord } from './message.ts';
export {
  ATTEMPT_HEADER,
  DEAD_LETTER_PREFIX,
  DUE_HEADER,
  ORIGIN_OFFSET_HEADER,
  ORIGIN_PARTITION_HEADER,
  ORIGIN_TOPIC_HEADER,
  ownHeaders,
  readOrigin,
  readRetryState,
} from './retry-headers.ts';
export { routeRecord } from './route-records.ts';
export { WorkerHandlerError, type WorkerOptions } from './worker-pool.ts';
