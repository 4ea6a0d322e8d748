/**
 * Reads a topic `read_committed` to its end, as an honest consumer would, and returns every record.
 * The end is the high watermark at the start. It may lie behind transaction markers, which no consumer callback ever
 * sees, so the position is taken from kafkajs's batch events, which come for marker-only batches too.
 */
import type kafkajs from 'kafkajs';
import { highWatermarks } from './high-watermarks.ts';
import { testKafka } from './kafka-client.ts';
import { testEnvironment } from './test-environment.ts';
import { uniqueName } from './unique-name.ts';

export interface TopicRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, as the record says. */
  readonly timestampMs: number;
}

export interface ReadTopicOptions {
  readonly bootstrap?: string;
  /** Fail when no partition has moved for so long: an open transaction holds its readers up. Default 60 s. */
  readonly stallDeadlineMs?: number;
  /** Also deliver what was aborted or is still open. */
  readonly readUncommitted?: boolean;
}

const STALL_DEADLINE_MS = 60_000;
const FETCH_WAIT_MS = 50;

type Positions = Map<number, bigint>;

async function startOffsets(kafka: kafkajs.Kafka, topic: string): Promise<Positions> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, low }) => [partition, BigInt(low)]));
  } finally {
    await admin.disconnect();
  }
}

function toRecord(partition: number, message: kafkajs.KafkaMessage): TopicRecord {
  const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
  return {
    partition,
    offset: BigInt(message.offset),
    key: message.key === null ? null : message.key.toString(),
    value: message.value,
    headers: Object.fromEntries(headers),
    timestampMs: Number(message.timestamp),
  };
}

/** Partitions whose position is still below the end, as `partition at position of end`. */
function behind(positions: Positions, ends: Positions): string[] {
  return [...ends]
    .filter(([partition, end]) => (positions.get(partition) ?? 0n) < end)
    .map(([partition, end]) => `${partition} at ${positions.get(partition)} of ${end}`);
}

/**
 * All records up to the high watermarks at the moment of the call, in partition and offset order. Transactions open at
 * that moment are waited for: rejects when no partition has moved for `stallDeadlineMs`.
 */
export async function readTopic(topic: string, options: ReadTopicOptions = {}): Promise<readonly TopicRecord[]> {
  const kafka = testKafka(options.bootstrap ?? testEnvironment().kafkaBootstrap);
  const ends = await highWatermarks(kafka, topic);
  const positions = await startOffsets(kafka, topic);
  const records: TopicRecord[] = [];
  if (behind(positions, ends).length === 0) return records;

  const groupId = uniqueName('krs-reader');
  const consumer = kafka.consumer({
    groupId,
    readUncommitted: options.readUncommitted ?? false,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    allowAutoTopicCreation: false,
  });
  const stallMs = options.stallDeadlineMs ?? STALL_DEADLINE_MS;
  try {
    await consumeTo(consumer, { topic, positions, ends, records, stallMs });
  } finally {
    await consumer.disconnect();
    await forgetGroup(kafka, groupId);
  }
  const inRange = records.filter(({ partition, offset }) => offset < (ends.get(partition) ?? 0n));
  return inRange.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}

interface Progress {
  readonly topic: string;
  readonly positions: Positions;
  readonly ends: Positions;
  readonly records: TopicRecord[];
  readonly stallMs: number;
}

async function consumeTo(consumer: kafkajs.Consumer, progress: Progress): Promise<void> {
  const { topic, positions, ends, records, stallMs } = progress;
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  // A failure before the last line awaits it must not count as unhandled.
  done.catch(() => undefined);
  const stalled = () => reject(new Error(`reading ${topic} stalled: partition ${behind(positions, ends).join(', ')}`));
  let timer = setTimeout(stalled, stallMs);
  consumer.on('consumer.end_batch_process', ({ payload }) => {
    const next = BigInt(payload.lastOffset) + 1n;
    if (next <= (positions.get(payload.partition) ?? 0n)) return;
    positions.set(payload.partition, next);
    clearTimeout(timer);
    timer = setTimeout(stalled, stallMs);
    if (behind(positions, ends).length === 0) resolve();
  });
  consumer.on('consumer.crash', ({ payload }) => {
    if (!payload.restart) reject(payload.error);
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const message of batch.messages) records.push(toRecord(batch.partition, message));
      },
    });
    await done;
  } finally {
    clearTimeout(timer);
  }
}

/** Readers come by the hundred in a run of tests: none leaves its group behind. */
async function forgetGroup(kafka: kafkajs.Kafka, groupId: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await admin.deleteGroups([groupId]).catch(() => undefined);
  } finally {
    await admin.disconnect();
  }
}
