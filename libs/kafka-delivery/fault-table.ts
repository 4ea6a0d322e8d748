/**
 * The closed table of Kafka's error codes and of kafkajs's error classes, and what they mean to us. Nothing decides on
 * message texts. Codes: kafka.apache.org/protocol, "Error codes".
 */
import { describeThrown, type ErrorCode, RelayError } from '#runtime';
import {
  KafkaJSConnectionError,
  KafkaJSError,
  KafkaJSLockTimeout,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  KafkaJSSASLAuthenticationError,
  KafkaJSServerDoesNotSupportApiKey,
} from './kafkajs.ts';

/**
 * Where in the protocol a fault happened. From `send` on the outcome of the transaction is unknown unless the code says
 * better; at `commit` it is unknown even then, except for a fence.
 */
export type Step = 'connect' | 'init' | 'metadata' | 'send' | 'markers' | 'commit' | 'read' | 'admin';

export interface FaultPlace {
  readonly step: Step;
  readonly topic?: string | null;
  readonly partition?: number | null;
  readonly api?: string;
  /** How many records the refused batch had. */
  readonly records?: number;
  /** The request was on its way, on a connection that stood. */
  readonly posted?: boolean;
}

const REFUSED = 'KAFKA_REFUSED';
const UNREACHABLE = 'KAFKA_UNREACHABLE';
const RECORD = 'KAFKA_RECORD_REFUSED';
const MISSING = 'KAFKA_TOPIC_MISSING';
const FENCED = 'KAFKA_FENCED';
const UNKNOWN = 'KAFKA_OUTCOME_UNKNOWN';
const UNSUPPORTED = 'KAFKA_UNSUPPORTED';
const CONFIG = 'CONFIG_INVALID';

const TABLE: ReadonlyMap<number, readonly [string, ErrorCode]> = new Map([
  [-1, ['UNKNOWN_SERVER_ERROR', UNKNOWN]],
  [1, ['OFFSET_OUT_OF_RANGE', UNREACHABLE]],
  [2, ['CORRUPT_MESSAGE', RECORD]],
  [3, ['UNKNOWN_TOPIC_OR_PARTITION', MISSING]],
  [5, ['LEADER_NOT_AVAILABLE', UNREACHABLE]],
  [6, ['NOT_LEADER_OR_FOLLOWER', UNREACHABLE]],
  [7, ['REQUEST_TIMED_OUT', UNREACHABLE]],
  [8, ['BROKER_NOT_AVAILABLE', UNREACHABLE]],
  [9, ['REPLICA_NOT_AVAILABLE', UNREACHABLE]],
  [10, ['MESSAGE_TOO_LARGE', RECORD]],
  [13, ['NETWORK_EXCEPTION', UNREACHABLE]],
  [14, ['COORDINATOR_LOAD_IN_PROGRESS', UNREACHABLE]],
  [15, ['COORDINATOR_NOT_AVAILABLE', UNREACHABLE]],
  [16, ['NOT_COORDINATOR', UNREACHABLE]],
  [17, ['INVALID_TOPIC_EXCEPTION', RECORD]],
  [18, ['RECORD_LIST_TOO_LARGE', RECORD]],
  [19, ['NOT_ENOUGH_REPLICAS', UNREACHABLE]],
  [20, ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', UNREACHABLE]],
  [21, ['INVALID_REQUIRED_ACKS', CONFIG]],
  // A consumer group that has moved on without us: whoever commits for it is a zombie.
  [22, ['ILLEGAL_GENERATION', FENCED]],
  [25, ['UNKNOWN_MEMBER_ID', FENCED]],
  [27, ['REBALANCE_IN_PROGRESS', FENCED]],
  [29, ['TOPIC_AUTHORIZATION_FAILED', REFUSED]],
  [30, ['GROUP_AUTHORIZATION_FAILED', REFUSED]],
  [31, ['CLUSTER_AUTHORIZATION_FAILED', REFUSED]],
  // Record times are our own clock's: no row is at fault when it is wrong, and the next session asks for the brokers' time.
  [32, ['INVALID_TIMESTAMP', UNREACHABLE]],
  [33, ['UNSUPPORTED_SASL_MECHANISM', REFUSED]],
  [34, ['ILLEGAL_SASL_STATE', REFUSED]],
  [35, ['UNSUPPORTED_VERSION', UNSUPPORTED]],
  [37, ['INVALID_PARTITIONS', CONFIG]],
  [38, ['INVALID_REPLICATION_FACTOR', CONFIG]],
  [40, ['INVALID_CONFIG', CONFIG]],
  [41, ['NOT_CONTROLLER', UNREACHABLE]],
  [42, ['INVALID_REQUEST', UNKNOWN]],
  [43, ['UNSUPPORTED_FOR_MESSAGE_FORMAT', UNSUPPORTED]],
  [44, ['POLICY_VIOLATION', REFUSED]],
  [45, ['OUT_OF_ORDER_SEQUENCE_NUMBER', UNKNOWN]],
  [46, ['DUPLICATE_SEQUENCE_NUMBER', UNKNOWN]],
  [47, ['INVALID_PRODUCER_EPOCH', FENCED]],
  [48, ['INVALID_TXN_STATE', UNKNOWN]],
  [49, ['INVALID_PRODUCER_ID_MAPPING', UNKNOWN]],
  [50, ['INVALID_TRANSACTION_TIMEOUT', CONFIG]],
  [51, ['CONCURRENT_TRANSACTIONS', UNREACHABLE]],
  [52, ['TRANSACTION_COORDINATOR_FENCED', FENCED]],
  [53, ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', REFUSED]],
  [56, ['KAFKA_STORAGE_ERROR', UNREACHABLE]],
  [58, ['SASL_AUTHENTICATION_FAILED', REFUSED]],
  [59, ['UNKNOWN_PRODUCER_ID', UNKNOWN]],
  [72, ['LISTENER_NOT_FOUND', UNREACHABLE]],
  [73, ['TOPIC_DELETION_DISABLED', REFUSED]],
  [74, ['FENCED_LEADER_EPOCH', UNREACHABLE]],
  [75, ['UNKNOWN_LEADER_EPOCH', UNREACHABLE]],
  [76, ['UNSUPPORTED_COMPRESSION_TYPE', UNSUPPORTED]],
  [78, ['OFFSET_NOT_AVAILABLE', UNREACHABLE]],
  [82, ['FENCED_INSTANCE_ID', FENCED]],
  [87, ['INVALID_RECORD', RECORD]],
  [88, ['UNSTABLE_OFFSET_COMMIT', UNREACHABLE]],
  [89, ['THROTTLING_QUOTA_EXCEEDED', UNREACHABLE]],
  [90, ['PRODUCER_FENCED', FENCED]],
  [100, ['UNKNOWN_TOPIC_ID', MISSING]],
  [120, ['TRANSACTION_ABORTABLE', UNKNOWN]],
] as const);

/** Codes that a step repeats by itself, because they say "not yet" and nothing was done. */
export const CODE = {
  none: 0,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  messageTooLarge: 10,
  recordListTooLarge: 18,
  invalidTimestamp: 32,
  invalidTopic: 17,
  topicExists: 36,
  unknownTopic: 3,
  concurrentTransactions: 51,
  unstableOffsets: 88,
  transactionalIdNotFound: 105,
} as const;

/** What a broker says to those who lack a right. A login that failed says nothing of rights, nor does a certificate. */
const LACKS_RIGHT: readonly unknown[] = [29, 30, 31, 53].map((code) => TABLE.get(code)?.[0]);

/** True of a question that this broker never answers us: it is too old, or we lack the right. Any other one is asked again. */
export const isUnanswerable = ({ code, details }: RelayError): boolean =>
  code === UNSUPPORTED || (code === REFUSED && LACKS_RIGHT.includes(details.type));

const outcomeOpen = (step: Step): boolean => step === 'send' || step === 'markers' || step === 'commit';

function verdictOf(known: ErrorCode | undefined, step: Step): ErrorCode {
  if (step === 'commit' && known !== FENCED) return UNKNOWN;
  return known ?? (outcomeOpen(step) ? UNKNOWN : 'INTERNAL');
}

function detailsOf(place: FaultPlace, type: string) {
  const { step, topic = null, partition = null, api = null, records = null, posted = false } = place;
  return {
    step,
    type,
    ...(api === null ? {} : { api }),
    ...(topic === null ? {} : { topic, partition }),
    ...(records === null ? {} : { records }),
    ...(posted ? { posted } : {}),
  };
}

/** What mends a refusal that lasts; `doctor` prints the commands for rights. */
const ADVICE: ReadonlyMap<number, string> = new Map([
  [29, 'give this user the rights on the topic that docs/operations.md lists'],
  [30, 'give this user Read on the groups that begin with KAFKA_TRANSACTIONAL_ID_PREFIX'],
  [31, 'give this user the right on the cluster that docs/operations.md lists'],
  [50, "lower KAFKA_TRANSACTION_TIMEOUT to the brokers' transaction.max.timeout.ms"],
  [53, 'give this user Write and Describe on transactional ids that begin with KAFKA_TRANSACTIONAL_ID_PREFIX'],
]);

/** The fault behind an error code a broker answered with. */
export function faultOfCode(code: number, place: FaultPlace): RelayError {
  const [type, known] = TABLE.get(code) ?? [`code ${code}`, undefined];
  const where = place.topic ? ` for topic ${place.topic}` : '';
  const advice = ADVICE.has(code) ? `; ${ADVICE.get(code)}` : '';
  return new RelayError(verdictOf(known, place.step), `Kafka refused ${place.step}${where}: ${type}${advice}`, {
    details: detailsOf(place, type),
  });
}

/** OpenSSL's and Node's codes for a certificate or handshake that is not trusted: a configuration matter, not the network. */
const TLS_CODE = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|ERR_OSSL_)/;

function classify(error: unknown): { readonly known: ErrorCode | undefined; readonly type: string } {
  if (error instanceof KafkaJSProtocolError) {
    return { known: TABLE.get(error.code as unknown as number)?.[1], type: error.type };
  }
  const driverCode = (error as { code?: unknown } | null)?.code;
  if (typeof driverCode === 'string' && TLS_CODE.test(driverCode)) return { known: REFUSED, type: driverCode };
  if (error instanceof KafkaJSSASLAuthenticationError) return { known: REFUSED, type: 'SASL' };
  if (error instanceof KafkaJSServerDoesNotSupportApiKey) return { known: UNSUPPORTED, type: 'API' };
  if (error instanceof KafkaJSConnectionError) {
    return { known: UNREACHABLE, type: typeof driverCode === 'string' ? driverCode : 'CONNECTION' };
  }
  if (error instanceof KafkaJSRequestTimeoutError) return { known: UNREACHABLE, type: 'REQUEST_TIMEOUT' };
  if (error instanceof KafkaJSLockTimeout) return { known: UNREACHABLE, type: 'LOCK_TIMEOUT' };
  return { known: undefined, type: describeThrown(error).name };
}

/** kafkajs wraps what happened in errors of its own: the innermost one of its kind says most. */
export function innermost(error: unknown): unknown {
  let current = error;
  for (let depth = 0; depth < 5; depth += 1) {
    const cause = current instanceof KafkaJSError ? (current as { cause?: unknown }).cause : undefined;
    if (!(cause instanceof Error)) return current;
    current = cause;
  }
  return current;
}

/** The fault behind anything thrown on the way to a broker; a RelayError stays itself, except that an unanswered commit is unknown. */
export function faultOfThrown(thrown: unknown, place: FaultPlace): RelayError {
  const inner = innermost(thrown);
  if (inner instanceof RelayError) {
    const timedOut = inner.code === 'DEADLINE_EXCEEDED' || inner.code === UNREACHABLE;
    if (!timedOut) return inner;
    const code = verdictOf(UNREACHABLE, place.step);
    if (code === inner.code) return inner;
    const { step } = place;
    // A deadline that passed has a name of its own: it tells what was too much from what is away.
    const type = inner.code === 'DEADLINE_EXCEEDED' ? { type: inner.code } : {};
    return new RelayError(code, inner.message, { cause: inner, details: { ...inner.details, ...type, step } });
  }
  const { known, type } = classify(inner);
  const text = describeThrown(inner).message;
  return new RelayError(verdictOf(known, place.step), `Kafka ${place.step} failed: ${text}`, {
    cause: thrown,
    details: detailsOf(place, type),
  });
}
