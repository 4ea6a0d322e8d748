/** Which cause of a stall a fault is: by its code, and by the number or name that the server gave, never by its text. */
import type { ErrorCode, RelayError } from './errors.ts';
import type { StallCause } from './stall-causes.ts';

/** Kafka's names of error codes that tell more than ours. */
const BY_KAFKA_TYPE: ReadonlyMap<string, StallCause> = new Map([
  ['LEADER_NOT_AVAILABLE', 'topic-leaderless'],
  ['REPLICA_NOT_AVAILABLE', 'topic-leaderless'],
  ['NOT_ENOUGH_REPLICAS', 'topic-in-sync-loss'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'topic-in-sync-loss'],
  ['THROTTLING_QUOTA_EXCEEDED', 'kafka-throttled'],
  ['COORDINATOR_LOAD_IN_PROGRESS', 'coordinator-away'],
  ['COORDINATOR_NOT_AVAILABLE', 'coordinator-away'],
  ['NOT_COORDINATOR', 'coordinator-away'],
  ['TOPIC_AUTHORIZATION_FAILED', 'topic-refused'],
  ['UNKNOWN_TOPIC_OR_PARTITION', 'topic-missing'],
]);

const BY_CODE: Readonly<Partial<Record<ErrorCode, StallCause>>> = {
  CONFIG_INVALID: 'kafka-unsupported',
  DB_UNREACHABLE: 'database-unreachable',
  DB_REFUSED: 'database-refused',
  DB_TRANSIENT: 'database-busy',
  DB_READ_ONLY: 'database-read-only',
  DB_FULL: 'database-full',
  DB_UNKNOWN: 'database-error',
  DB_COMMIT_UNKNOWN: 'database-unreachable',
  DB_SCHEMA: 'database-schema',
  DB_UNSUPPORTED: 'database-schema',
  SOURCE_TABLE_MISSING: 'database-schema',
  SOURCE_COLUMNS_GONE: 'source-halted',
  SOURCE_WENT_BACK: 'source-halted',
  SOURCE_ID_TWICE: 'source-halted',
  SOURCE_HALTED: 'source-halted',
  EVENT_REFUSED: 'row-refused',
  DB_ROW_REFUSED: 'database-schema',
  KAFKA_UNREACHABLE: 'kafka-unreachable',
  KAFKA_REFUSED: 'kafka-refused',
  KAFKA_TOPIC_MISSING: 'topic-missing',
  KAFKA_FENCED: 'kafka-fenced',
  KAFKA_OUTCOME_UNKNOWN: 'kafka-unreachable',
  KAFKA_RECORD_REFUSED: 'row-refused',
  KAFKA_UNSUPPORTED: 'kafka-unsupported',
  REDIS_UNREACHABLE: 'redis-unreachable',
  REDIS_REFUSED: 'redis-unreachable',
};

/** What says nothing of where it comes from is `unknown`. */
export function causeOf({ code, details }: Pick<RelayError, 'code' | 'details'>): StallCause {
  const type = typeof details.type === 'string' ? BY_KAFKA_TYPE.get(details.type) : undefined;
  return type ?? BY_CODE[code] ?? (code === 'DEADLINE_EXCEEDED' ? causeOfDeadline(details) : 'unknown');
}

/** A driver's name is the database's, a step of the protocol Kafka's. */
function causeOfDeadline({ driverCode, step }: RelayError['details']): StallCause {
  if (driverCode !== undefined) return 'database-unreachable';
  return step === undefined ? 'unknown' : 'kafka-unreachable';
}
