/** The fake Kafka's topics: partitioned logs of records, each with the transaction that decides what becomes of it. */
import { type DeliveryRecord, murmur2 } from '#outbox';
import { RelayError } from '#runtime';
import { type Entry, partitionPart, type Transaction } from './torn-commits.ts';

export interface FakeRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

export class TopicLogs {
  readonly byTopic = new Map<string, Entry[][]>();

  create(topic: string, partitions: number): void {
    this.byTopic.set(
      topic,
      Array.from({ length: partitions }, () => []),
    );
  }

  /** Where a record goes. Throws KAFKA_TOPIC_MISSING. */
  partitionOf({ topic, key, spread }: DeliveryRecord): number {
    const log = this.byTopic.get(topic);
    if (log === undefined) {
      throw new RelayError('KAFKA_TOPIC_MISSING', 'the topic went away', { details: { topic, partition: null } });
    }
    const hash = key === null ? spread : murmur2(key) & 0x7fffffff;
    return hash % log.length;
  }

  push(partition: number, record: DeliveryRecord, transaction: Transaction): void {
    this.byTopic.get(record.topic)?.[partition]?.push({ record, transaction });
  }

  /** What a read_committed reader sees, by partition and offset: nothing behind a transaction that is still open. */
  committed(topic: string): readonly FakeRecord[] {
    const log = this.byTopic.get(topic) ?? [];
    return log.flatMap((entries, partition) => {
      const firstOpen = entries.findIndex(({ transaction }) => transaction.fate === 'open');
      const stable = firstOpen < 0 ? entries : entries.slice(0, firstOpen);
      return stable.flatMap(({ record, transaction }, offset) => {
        const { key, value, headers } = record;
        return transaction.fate === 'committed' ? [{ partition, offset, key, value, headers }] : [];
      });
    });
  }

  /** Every record of these topics, of all topics when absent, in the partitions meant. */
  entries(topics?: ReadonlySet<string>, isMeant: (part: string) => boolean = () => true): Entry[] {
    return [...this.byTopic]
      .filter(([topic]) => topics?.has(topic) ?? true)
      .flatMap(([topic, log]) =>
        log.flatMap((each, partition) => (isMeant(partitionPart(topic, partition)) ? each : [])),
      );
  }
}
