/** What becomes of a message whose attempt failed. Pure. */
import { ownRecord } from '#chunking';
import { RelayError } from '#runtime';
import type { ConsumerSettings, TopicRule } from './consumer-options.ts';
import type { ConsumedMessage, PendingGroup, PendingRecord, ProducedRecord, SourceRecord } from './message.ts';
import { deathHeaders, originHeaders, retryHeaders, withoutNotes } from './retry-headers.ts';

export interface FailedAttempt {
  readonly message: ConsumedMessage;
  readonly offsets: readonly bigint[];
  readonly error: unknown;
  readonly rule: TopicRule;
}

type FailureSettings = Pick<ConsumerSettings, 'groupId' | 'ordering' | 'isNonRetriable'>;

export type FailureVerdict =
  | { readonly kind: 'retry'; readonly dueMs: number }
  /** Again in place, with everything of its key or partition behind it. */
  | { readonly kind: 'wait'; readonly dueMs: number }
  | { readonly kind: 'dead'; readonly reason: string };

/** `retryTopicExists` is false when the rule names one that the cluster does not have. */
export function judgeFailure(
  { message, error, rule }: FailedAttempt,
  settings: FailureSettings,
  now: { readonly wallMs: number; readonly retryTopicExists: boolean },
): FailureVerdict {
  if (settings.isNonRetriable(error)) return { kind: 'dead', reason: 'non-retriable' };
  if (message.attempt >= rule.retries) return { kind: 'dead', reason: 'out-of-attempts' };
  const delayMs = Math.min(rule.delayMaxMs, rule.delayMs * rule.backoff ** Math.min(message.attempt, 100));
  const dueMs = now.wallMs + delayMs;
  if (settings.ordering !== 'none') return { kind: 'wait', dueMs };
  if (rule.retryTopic === null) return { kind: 'dead', reason: 'no-retry-topic' };
  return now.retryTopicExists ? { kind: 'retry', dueMs } : { kind: 'dead', reason: 'retry-topic-missing' };
}

export function retryRecord({ message, rule }: FailedAttempt, dueMs: number): PendingRecord {
  const { key, value, headers, attempt, origin } = message;
  const topic = rule.retryTopic ?? rule.deadLetterTopic;
  const added = { ...originHeaders(origin), ...retryHeaders({ attempt: attempt + 1, dueMs }) };
  return { kind: 'retry', topic, partition: null, key, value, headers: { ...headers, ...added }, mayBeSplit: true };
}

/** What the message would be tried again with; its dead letter where that cannot be written. */
export function retryGroup(failed: FailedAttempt, dueMs: number, groupId: string, wallMs: number): PendingGroup {
  const bury = (reason: string) => deadRecord(failed, reason, groupId, wallMs);
  return { records: [retryRecord(failed, dueMs)], bury };
}

export function deadRecord(failed: FailedAttempt, reason: string, groupId: string, wallMs: number): PendingRecord {
  const { message, rule, error, offsets } = failed;
  const { key, value, headers, topic, partition, origin } = message;
  const note = { reason, error, attempts: message.attempt + 1, groupId, wallMs, topic, partition, offsets };
  const added = { ...originHeaders(origin), ...deathHeaders(note) };
  const place = { kind: 'dead', topic: rule.deadLetterTopic, partition: null } as const;
  return { ...place, key, value, headers: { ...headers, ...added }, mayBeSplit: true };
}

/** A record that never became a message: as it came, with the reason. */
export function deadSource(
  record: SourceRecord,
  rule: TopicRule,
  reason: string,
  about: { readonly groupId: string; readonly wallMs: number },
): PendingRecord {
  const { topic, partition, offset, key, value, headers } = record;
  const error = new Error(`the record makes no message: ${reason}`);
  const note = { ...about, reason, error, attempts: 0, topic, partition, offsets: [offset] };
  const added = { ...originHeaders({ topic, partition, offset }), ...deathHeaders(note) };
  const place = { kind: 'dead', topic: rule.deadLetterTopic, partition: null } as const;
  return { ...place, ...ownRecord({ key, value, headers: { ...withoutNotes(headers), ...added } }), mayBeSplit: false };
}

const isHeaderValue = (value: unknown): boolean =>
  value === undefined || value === null || typeof value === 'string' || Buffer.isBuffer(value);

/** What the types say, of a caller without them: later it could not be written, for ever. Throws KAFKA_RECORD_REFUSED. */
function checkProduced({ topic, partition, headers = {} }: ProducedRecord): void {
  const refuse = (what: string): never => {
    throw new RelayError('KAFKA_RECORD_REFUSED', `a handler produced a record ${what}`);
  };
  if (typeof topic !== 'string' || topic === '') refuse('without a topic');
  const isPartition = partition === undefined || (Number.isInteger(partition) && partition >= 0 && partition < 2 ** 31);
  if (!isPartition) refuse(`for topic ${topic} with a partition that is no number of one`);
  if (headers === null || typeof headers !== 'object') refuse(`for topic ${topic} with headers that are no object`);
  for (const [name, value] of Object.entries(headers)) {
    const isGood = Array.isArray(value) ? value.every(isHeaderValue) : isHeaderValue(value);
    if (!isGood) refuse(`for topic ${topic} whose header ${name} is no text and no bytes`);
  }
}

/** What a handler that succeeded has produced; the dead letter of its message where that cannot be written. */
export function outputGroup(
  handled: Omit<FailedAttempt, 'error'>,
  produced: readonly ProducedRecord[],
  about: { readonly groupId: string; readonly wallMs: number; readonly splitOutputs: boolean },
): PendingGroup {
  const bytes = (value: Buffer | string | null | undefined) =>
    value === null || value === undefined ? null : Buffer.from(value);
  const records = produced.map((record): PendingRecord => {
    const { topic, partition = null, headers = {} } = record;
    checkProduced(record);
    const body = { key: bytes(record.key), value: bytes(record.value), headers };
    return { kind: 'output', topic, partition, ...body, mayBeSplit: about.splitOutputs };
  });
  const bury = (reason: string, error: unknown) =>
    deadRecord({ ...handled, error }, reason, about.groupId, about.wallMs);
  return { records, bury };
}
