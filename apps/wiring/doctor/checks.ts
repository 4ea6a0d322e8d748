/** Every check, in the order in which they are shown. */
import { aside } from './check-aside.ts';
import { autoIncrement } from './check-auto-increment.ts';
import { backlog } from './check-backlog.ts';
import { brokers } from './check-brokers.ts';
import { cleanupPolicy } from './check-cleanup-policy.ts';
import { databaseClock } from './check-database-clock.ts';
import { durability } from './check-durability.ts';
import { engine } from './check-engine.ts';
import { gapMode } from './check-gap-mode.ts';
import { grants } from './check-grants.ts';
import { history } from './check-history.ts';
import { instanceIds } from './check-instance-ids.ts';
import { isolation } from './check-isolation.ts';
import { kafkaClock } from './check-kafka-clock.ts';
import { laneCount } from './check-lane-count.ts';
import { laneStates } from './check-lane-states.ts';
import { markerGroups } from './check-marker-groups.ts';
import { markerTopic } from './check-marker-topic.ts';
import { markers } from './check-markers.ts';
import { messageSize } from './check-message-size.ts';
import { minInsync } from './check-min-insync.ts';
import { offsetsRetention } from './check-offsets-retention.ts';
import { oldestTransaction } from './check-oldest-transaction.ts';
import { packet } from './check-packet.ts';
import { partitionVerification } from './check-partition-verification.ts';
import { readOnly } from './check-read-only.ts';
import { redisCommands, redisMemory, redisRole, redisVersion } from './check-redis.ts';
import { replication } from './check-replication.ts';
import { requestSize } from './check-request-size.ts';
import { schema } from './check-schema.ts';
import { deliveryMode } from './check-settings.ts';
import { sourcePosition } from './check-source-position.ts';
import { sourceStates } from './check-source-states.ts';
import { sourceTable } from './check-source-table.ts';
import { sourcesKnown } from './check-sources-known.ts';
import { stalls } from './check-stalls.ts';
import { strangers } from './check-strangers.ts';
import { targetTopics } from './check-target-topics.ts';
import { transactionTimeout } from './check-transaction-timeout.ts';
import { transactions } from './check-transactions.ts';
import { uncleanElection } from './check-unclean-election.ts';
import type { Check } from './finding.ts';

export const CHECKS: readonly Check[] = [
  deliveryMode,
  engine,
  schema,
  grants,
  readOnly,
  isolation,
  durability,
  packet,
  autoIncrement,
  gapMode,
  sourceTable,
  sourcePosition,
  oldestTransaction,
  history,
  databaseClock,
  stalls,
  sourceStates,
  laneStates,
  markers,
  laneCount,
  sourcesKnown,
  instanceIds,
  backlog,
  aside,
  brokers,
  targetTopics,
  replication,
  minInsync,
  uncleanElection,
  cleanupPolicy,
  messageSize,
  requestSize,
  markerTopic,
  markerGroups,
  offsetsRetention,
  transactionTimeout,
  transactions,
  partitionVerification,
  strangers,
  kafkaClock,
  redisVersion,
  redisMemory,
  redisRole,
  redisCommands,
];
