/**
 * Rank 2: the Kafka port. kafkajs gives the connections (TLS, SASL, request queue), this library speaks the transaction:
 * InitProducerId, records with explicit partitions and their markers in one transaction, every answer checked.
 */
export { connectKafka, type KafkaConnection, type KafkajsOptions, openKafkajs } from './connect-kafka.ts';
export type { ConsumedTopics, TopicHooks, TopicTrouble } from './consumed-topics.ts';
export type { PartitionRead } from './consumer-fetch.ts';
export { type ClosableKafkaPort, createKafkaPort, createKafkaPortOn, scopeOf } from './create-kafka-port.ts';
export { createGroupTransactions, type GroupTransactionOptions, type GroupTransactions } from './group-transactions.ts';
export {
  type BrokerFacts,
  type ClusterFacts,
  inspectCluster,
  type PartitionFacts,
  type TopicFacts,
} from './inspect-cluster.ts';
export { type GroupFacts, inspectMarkerGroup } from './inspect-marker-group.ts';
export { type KafkaOptions, markerGroup, markerTopic, type SaslOptions } from './kafka-options.ts';
export { type KnownProducer, listProducers } from './list-producers.ts';
export { mendConsumer } from './mend-consumer.ts';
export { type Partitioner, pickPartition } from './partitioner.ts';
export type { RoutedRecord } from './plan-delivery.ts';
export { type KafkaPreflight, preflight } from './preflight.ts';
export { type ReadBatch, type ReadOptions, readTopics } from './read-topics.ts';
export { type Rehearsal, rehearseTransaction } from './rehearse-transaction.ts';
export { createTopicAdmin, type TopicAdmin } from './topic-admin.ts';
export { topicNote } from './topic-note.ts';
export type { Committed } from './topic-positions.ts';
export type { OffsetSet } from './transaction.ts';
export type { FetchedRecord } from './wire/read-record-batches.ts';
export type { Compression, HeaderValue } from './wire/record-batch.ts';
export type { GroupMember } from './wire/transaction-requests.ts';
