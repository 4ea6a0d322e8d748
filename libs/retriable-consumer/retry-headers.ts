/**
 * Headers of retries, byte for byte those of retriable-kafka-client 0.7.0 (PyPI): attempt and due time are 8 bytes, unsigned,
 * big-endian, the time in whole POSIX seconds. And ours: where the message came from, and why it is dead.
 */
import { decodeNumber, encodeNumber, type MessageHeaders, oneHeader, withoutChunkHeaders } from '#chunking';
import { describeThrown } from '#runtime';
import type { TopicRule } from './consumer-options.ts';
import type { Origin, SourceRecord } from './message.ts';

export const ATTEMPT_HEADER = 'retriable_kafka_attempt';
export const DUE_HEADER = 'retriable_kafka_timestamp';
const OWN = 'kafka_row_sender_';
export const ORIGIN_TOPIC_HEADER = `${OWN}origin_topic`;
export const ORIGIN_PARTITION_HEADER = `${OWN}origin_partition`;
export const ORIGIN_OFFSET_HEADER = `${OWN}origin_offset`;
export const DEAD_LETTER_PREFIX = `${OWN}dead_letter_`;

/** Brokers refuse what is too large as a whole. */
const TEXT_CHARACTERS_MAX = 4_000;
/** More attempts than anybody makes. */
const ATTEMPT_MAX = 1_000_000;
/** Of the clocks of whoever wrote a record, and of the broker that may have stamped it. */
const CLOCKS_DIFFER_MS = 60_000;
/** As Kafka has names of topics, numbers of partitions and offsets. */
const TOPIC = /^[a-zA-Z0-9._-]{1,249}$/;
const PARTITION = /^\d{1,9}$/;
const OFFSET = /^\d{1,18}$/;

export interface RetryState {
  readonly attempt: number;
  /** Milliseconds since the epoch; 0 when due at once. */
  readonly dueMs: number;
}

/** A record without the headers is a first attempt and due. Null when one of them is not 8 bytes of a number that makes sense. */
export function readRetryState(headers: MessageHeaders): RetryState | null {
  const numbers = [ATTEMPT_HEADER, DUE_HEADER].map((name) => {
    const value = oneHeader(headers, name);
    return value === undefined ? 0 : value === null ? null : decodeNumber(value);
  });
  const [attempt, dueSeconds] = numbers;
  if (typeof attempt !== 'number' || typeof dueSeconds !== 'number' || attempt > ATTEMPT_MAX) return null;
  return { attempt, dueMs: dueSeconds * 1_000 };
}

type RetriedRecord = Pick<SourceRecord, 'topic' | 'headers' | 'timestampMs'>;

const NO_RETRY: RetryState = { attempt: 0, dueMs: 0 };

/**
 * The same, of a record as it was read: anybody may send such headers. On a topic that is no retry topic they mean nothing. On one
 * nobody waits for longer than the rule's longest delay after the record was written; a record that is written in the future is
 * due at once.
 */
export function retryStateOf(
  { topic, headers, timestampMs }: RetriedRecord,
  { retryTopic, delayMaxMs }: Pick<TopicRule, 'retryTopic' | 'delayMaxMs'>,
  wallMs: number,
): RetryState | null {
  if (topic !== retryTopic) return NO_RETRY;
  const said = readRetryState(headers);
  if (said === null || said.dueMs <= wallMs) return said;
  const latestMs = timestampMs > wallMs + CLOCKS_DIFFER_MS ? wallMs : timestampMs + delayMaxMs + CLOCKS_DIFFER_MS;
  return { ...said, dueMs: Math.min(said.dueMs, latestMs) };
}

/** Rounded up: never early. */
export function retryHeaders({ attempt, dueMs }: RetryState): MessageHeaders {
  return {
    [ATTEMPT_HEADER]: encodeNumber(attempt),
    [DUE_HEADER]: encodeNumber(Math.ceil(dueMs / 1_000)),
  };
}

/** Written by this consumer about a message: origin, reason of its death. */
export const isOwnHeader = (name: string): boolean => name.startsWith(OWN);

/** All but what this consumer writes about a message. A stranger's would say of a letter that it was sent again, or is an envelope. */
export const withoutNotes = (headers: MessageHeaders): MessageHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !isOwnHeader(name)));

/** The headers that the sender gave the message. */
export function ownHeaders(headers: MessageHeaders): MessageHeaders {
  const ours = (name: string) => name === ATTEMPT_HEADER || name === DUE_HEADER || isOwnHeader(name);
  return Object.fromEntries(Object.entries(withoutChunkHeaders(headers)).filter(([name]) => !ours(name)));
}

export function originHeaders({ topic, partition, offset }: Origin): MessageHeaders {
  return {
    [ORIGIN_TOPIC_HEADER]: topic,
    [ORIGIN_PARTITION_HEADER]: String(partition),
    [ORIGIN_OFFSET_HEADER]: String(offset),
  };
}

/** The place noted at the first failure, in a retry or dead letter; `here` for one that has none, or none that makes sense. */
export function readOrigin(headers: MessageHeaders, here: Origin): Origin {
  const [topic, partition, offset] = [ORIGIN_TOPIC_HEADER, ORIGIN_PARTITION_HEADER, ORIGIN_OFFSET_HEADER].map((name) =>
    oneHeader(headers, name)?.toString(),
  );
  if (!topic || !TOPIC.test(topic) || !PARTITION.test(partition ?? '') || !OFFSET.test(offset ?? '')) return here;
  return { topic, partition: Number(partition), offset: BigInt(offset ?? 0) };
}

export interface DeathNote {
  readonly reason: string;
  readonly error: unknown;
  readonly attempts: number;
  readonly groupId: string;
  readonly wallMs: number;
  /** Where the last attempt read it: the original topic or the retry topic. */
  readonly topic: string;
  readonly partition: number;
  readonly offsets: readonly bigint[];
}

const cut = (text: string): string =>
  text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX)}...` : text;

/** All as text, to be read with any tool. */
export function deathHeaders(note: DeathNote): MessageHeaders {
  const { name, message, stack } = describeThrown(note.error);
  const facts: Readonly<Record<string, string>> = {
    reason: note.reason,
    error_class: name,
    error_message: message,
    error_stack: stack ?? '',
    attempts: String(note.attempts),
    group: note.groupId,
    time: new Date(note.wallMs).toISOString(),
    topic: note.topic,
    partition: String(note.partition),
    offsets: cut(note.offsets.join(',')),
  };
  return Object.fromEntries(Object.entries(facts).map(([name, value]) => [DEAD_LETTER_PREFIX + name, value]));
}
