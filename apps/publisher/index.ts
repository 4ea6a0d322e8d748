/**
 * The relay inside of an application: `OutboxPublisher` publishes its outbox table by the same writer, lanes, Kafka transactions
 * and markers as the relay's own processes, and next to them if they run: who leads is decided by lock and epoch, who delivers
 * by leases. A process that dies in the middle loses nothing and doubles nothing; the next one goes on.
 */
export { createOutboxDoorbell, type OutboxDoorbell } from './outbox-doorbell.ts';
export { OutboxPublisher, type OutboxPublisherOptions } from './outbox-publisher.ts';
export type { PublisherFault, PublisherMetrics } from './publisher-events.ts';
export type { HealthCheck, HealthStatus, PublisherHealth } from './publisher-health.ts';
export { createTopicLookup, type TopicLookupOptions } from './topic-lookup.ts';
