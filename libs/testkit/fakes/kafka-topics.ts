/** The topics of the fake Kafka, and what keeps records from them. */
import type { DeliveryRecord } from '#outbox';
import { RelayError } from '#runtime';
import { type FakeRecord, TopicLogs } from './topic-logs.ts';
import { partitionPart, topicOf } from './torn-commits.ts';

export interface FakeKafkaOptions {
  readonly prefix?: string;
  /** Partitions of the marker topic; 0: it does not exist. */
  readonly markerPartitions?: number;
  /** Records larger than this (key, value and headers) are refused. */
  readonly recordBytesMax?: number;
}

export class FakeTopics {
  readonly prefix: string;
  markerPartitions: number;
  recordBytesMax: number;
  /** While true every step fails as an unreachable broker. */
  down = false;
  /** Records for which it answers true are refused, as a broker's validation would. */
  refuses: (record: DeliveryRecord) => boolean = () => false;
  /** Of these it is known before they are sent. */
  isMisfit: (record: DeliveryRecord) => boolean = () => false;
  /** Topics that may not be written. */
  readonly forbidden = new Set<string>();
  /** Partitions (`topic/partition`) without a leader: nobody writes them, reads them, or ends a transaction in them. */
  readonly away = new Set<string>();
  /** Those of them that nobody knows of before a record is sent there. */
  readonly unannounced = new Set<string>();
  protected readonly logs = new TopicLogs();

  constructor(options: FakeKafkaOptions = {}) {
    this.prefix = options.prefix ?? 'fake';
    this.markerPartitions = options.markerPartitions ?? 1024;
    this.recordBytesMax = options.recordBytesMax ?? 1_000_000;
  }

  createTopic(topic: string, partitions = 1): void {
    this.logs.create(topic, partitions);
  }

  deleteTopic(topic: string): void {
    this.logs.byTopic.delete(topic);
  }

  /** What a read_committed reader sees, by partition and offset: nothing behind a transaction that is still open. */
  committed(topic: string): readonly FakeRecord[] {
    return this.logs.committed(topic);
  }

  /** Partitions that cannot be asked. */
  awayParts(): readonly string[] {
    return [...this.away];
  }

  countPartitions(topics: readonly string[]): ReadonlyMap<string, number> {
    this.reach();
    return new Map(topics.flatMap((topic) => (this.logs.byTopic.has(topic) ? [[topic, this.countOf(topic)]] : [])));
  }

  protected countOf(topic: string): number {
    return this.logs.byTopic.get(topic)?.length ?? 0;
  }

  protected noLeader(part: string): RelayError {
    const topic = topicOf(part);
    const details = { topic, partition: Number(part.slice(topic.length + 1)), partitions: this.countOf(topic) };
    return new RelayError('KAFKA_UNREACHABLE', `partition ${part} has no leader`, { details });
  }

  /** Throws what the brokers would, by topic, before anything is sent. */
  checkTopics(records: readonly DeliveryRecord[]): void {
    this.reach();
    for (const { topic } of records) {
      const scope = { topic, partition: null };
      if (!this.logs.byTopic.has(topic)) {
        throw new RelayError('KAFKA_TOPIC_MISSING', `topic ${topic} does not exist`, { details: scope });
      }
      if (this.forbidden.has(topic)) {
        throw new RelayError('KAFKA_REFUSED', `topic ${topic} may not be written`, { details: scope });
      }
    }
    for (const record of records) {
      const part = this.partOf(record);
      if (this.away.has(part) && !this.unannounced.has(part)) throw this.noLeader(part);
    }
  }

  partOf(record: DeliveryRecord): string {
    return partitionPart(record.topic, this.logs.partitionOf(record));
  }

  protected reach(): void {
    if (this.down) throw new RelayError('KAFKA_UNREACHABLE', 'the fake Kafka is down');
  }

  protected noMarkerPartition(lane: number): RelayError {
    const topic = `${this.prefix}.markers`;
    return new RelayError('KAFKA_TOPIC_MISSING', `the marker topic has no partition ${lane}: run init`, {
      details: { topic, partition: lane },
    });
  }
}
