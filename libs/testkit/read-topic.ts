/**
 * Reads a topic `read_committed` to its end and returns every record. The end is what is written at the start: the last
 * stable offset lies below records committed some milliseconds ago, and a reader that ends there would call them missing.
 *
 * Not by kafkajs's consumer, which shows aborted records: it expects the broker's list of aborted transactions to be sorted
 * by their first offsets, while the broker lists them as they ended. (Seen with 2.2.4 after a broker's SIGKILL, when the
 * transactions open at that moment were aborted in another order than they had begun.)
 */
import { connectKafka, readTopics } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import { testEnvironment } from './test-environment.ts';

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
}

const STALL_DEADLINE_MS = 60_000;

/**
 * All records written before the call, in partition and offset order. Transactions open at that moment are waited for:
 * rejects when no partition has moved for `stallDeadlineMs`.
 */
export async function readTopic(topic: string, options: ReadTopicOptions = {}): Promise<readonly TopicRecord[]> {
  const connection = connectKafka({
    brokers: (options.bootstrap ?? testEnvironment().kafkaBootstrap).split(','),
    clientId: 'krs-testkit',
    logger: silentLogger,
    prefix: 'krs-testkit',
    outboxTable: 'none',
  });
  const records: TopicRecord[] = [];
  const reading = readTopics(connection, {
    topics: [topic],
    withValues: true,
    to: 'written',
    stallMsMax: options.stallDeadlineMs ?? STALL_DEADLINE_MS,
  });
  for await (const batch of reading) {
    for (const { offset, key, value, headers, timestampMs } of batch.records) {
      const { partition } = batch;
      records.push({ partition, offset: BigInt(offset), key: key?.toString() ?? null, value, headers, timestampMs });
    }
  }
  return records.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
}
