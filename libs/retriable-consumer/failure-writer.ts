/**
 * Writes retries and dead letters, and commits the offset that passes their messages, in one Kafka transaction.
 * kafkajs's transactional producer is used with distrust: partitions are chosen here, every answer is checked, and after any
 * fault the producer is thrown away. Whether a transaction whose end is unknown was committed, the offset tells.
 */
import { randomUUID } from 'node:crypto';
import type { Admin, Kafka, Producer, Transaction } from 'kafkajs';
import { splitMessage } from '#chunking';
import { pickPartition } from '#kafka-delivery';
import { asRelayError, backoffMs, crashPoint, RelayError, withDeadline } from '#runtime';
import type { ConsumerSettings } from './consumer-options.ts';
import type { FailureRecord } from './message.ts';
import type { Settlement } from './partition-ledger.ts';
import { DEAD_LETTER_PREFIX } from './retry-headers.ts';

export interface FailureWrite extends Settlement {
  readonly topic: string;
  readonly partition: number;
}

type WriterSettings = Pick<
  ConsumerSettings,
  'groupId' | 'recordBytesMax' | 'transactionTimeoutMs' | 'logger' | 'clock' | 'random'
>;

interface Outgoing {
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, Buffer | string | (Buffer | string)[]>;
}

const BACKOFF = { baseMs: 200, maxMs: 10_000 };
const RECORD_BYTES_MIN = 20_000;
const PARTITIONS_MAX_AGE_MS = 60_000;
const TOO_LARGE: readonly unknown[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

const typeOf = (thrown: unknown): unknown => (thrown as { type?: unknown } | null)?.type;

export class FailureWriter {
  readonly #kafka: Kafka;
  readonly #admin: Admin;
  readonly #settings: WriterSettings;
  readonly #transactionalId: string;
  readonly #partitions = new Map<string, { readonly count: number; readonly atMs: number }>();
  /** What a topic takes, once it has refused the usual. */
  readonly #limits = new Map<string, number>();
  #producer: Producer | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #spread = 0;

  constructor(kafka: Kafka, admin: Admin, settings: WriterSettings) {
    this.#kafka = kafka;
    this.#admin = admin;
    this.#settings = settings;
    this.#transactionalId = `${settings.groupId}.retries.${randomUUID()}`;
  }

  /**
   * Resolves when the transaction is committed; tries until then. `beforeEach` may reject to say that the partition is not
   * ours any more. Rejects with STOPPED when the signal is aborted between two tries: nothing is written then.
   */
  async write(write: FailureWrite, signal: AbortSignal, beforeEach: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(() => this.#writeUntilDone(write, signal, beforeEach));
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#dropProducer();
  }

  async #writeUntilDone(write: FailureWrite, signal: AbortSignal, beforeEach: () => Promise<void>): Promise<void> {
    const { clock, random, logger, transactionTimeoutMs } = this.#settings;
    const { topic, partition } = write;
    let outcomeUnknown = false;
    for (let attempt = 1; ; attempt += 1) {
      if (signal.aborted && attempt > 1) throw new RelayError('STOPPED', 'stopped before the failures were written');
      await beforeEach();
      try {
        if (outcomeUnknown && (await withDeadline(this.#isCommitted(write), transactionTimeoutMs, 'asking'))) return;
        // Asked, and answered: not committed.
        outcomeUnknown = true;
        await withDeadline(this.#transact(write), transactionTimeoutMs, 'writing retries and dead letters');
        return;
      } catch (thrown) {
        logger.warn(
          { err: asRelayError(thrown), topic, partition, attempt },
          'retries and dead letters not written yet',
        );
      }
      await this.#dropProducer();
      await clock.sleep(backoffMs(attempt, BACKOFF, random), signal);
    }
  }

  async #transact({ topic, partition, next, failures }: FailureWrite): Promise<void> {
    this.#producer ??= await this.#openProducer();
    const transaction = await this.#producer.transaction();
    try {
      for (const failure of failures) await this.#sendOne(transaction, failure);
      crashPoint('consumer-after-retry-sent');
      const partitions = [{ partition, offset: next.toString() }];
      await transaction.sendOffsets({ consumerGroupId: this.#settings.groupId, topics: [{ topic, partitions }] });
      crashPoint('consumer-before-commit');
    } catch (thrown) {
      // Readers of the topics wait for open transactions: end it at once where that is possible.
      await transaction.abort().catch(() => undefined);
      throw thrown;
    }
    await transaction.commit();
    crashPoint('consumer-after-commit');
  }

  async #sendOne(transaction: Transaction, failure: FailureRecord): Promise<void> {
    const { topic, headers } = await this.#placeOf(failure);
    const count = await this.#partitionsOf(topic);
    const recordBytesMax = this.#limits.get(topic) ?? this.#settings.recordBytesMax;
    const whole = { key: failure.key, value: failure.value, headers };
    this.#spread += 1;
    for (const record of failure.mayBeSplit ? splitMessage(whole, { recordBytesMax }) : [whole]) {
      const target = pickPartition('java', record.key, this.#spread, count);
      const defined = Object.entries(record.headers).filter(
        (entry): entry is [string, Buffer] => entry[1] !== undefined,
      );
      // One record a request: kafkajs makes one batch of all records of a partition, and brokers refuse a large batch.
      await this.#sendRecord(transaction, topic, {
        ...record,
        headers: Object.fromEntries(defined),
        partition: target,
      });
    }
  }

  async #sendRecord(transaction: Transaction, topic: string, record: Outgoing): Promise<void> {
    try {
      const answers = await transaction.send({ topic, messages: [record] });
      if (answers.some((answer) => answer.partition === record.partition && answer.errorCode === 0)) return;
    } catch (thrown) {
      if (TOO_LARGE.includes(typeOf(thrown))) this.#lowerLimit(topic);
      throw thrown;
    }
    throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'the broker did not acknowledge a record', { details: { topic } });
  }

  #lowerLimit(topic: string): void {
    const limit = Math.max(RECORD_BYTES_MIN, (this.#limits.get(topic) ?? this.#settings.recordBytesMax) / 2);
    this.#limits.set(topic, limit);
    this.#settings.logger.warn(
      { topic, recordBytesMax: limit },
      'the topic refuses records of this size: smaller chunks',
    );
  }

  /** The topic, or the dead letters when a retry topic is gone. */
  async #placeOf({ topic, fallbackTopic, headers }: FailureRecord) {
    if (fallbackTopic === null) return { topic, headers };
    try {
      await this.#partitionsOf(topic);
      return { topic, headers };
    } catch (thrown) {
      if (typeOf(thrown) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw thrown;
      const reason = { [`${DEAD_LETTER_PREFIX}reason`]: 'retry-topic-missing' };
      return { topic: fallbackTopic, headers: { ...headers, ...reason } };
    }
  }

  async #partitionsOf(topic: string): Promise<number> {
    const nowMs = this.#settings.clock.nowMs();
    const known = this.#partitions.get(topic);
    if (known !== undefined && nowMs - known.atMs < PARTITIONS_MAX_AGE_MS) return known.count;
    const { topics } = await this.#admin.fetchTopicMetadata({ topics: [topic] });
    const count = topics[0]?.partitions.length ?? 0;
    if (count === 0) throw new RelayError('KAFKA_TOPIC_MISSING', `topic ${topic} has no partitions`);
    this.#partitions.set(topic, { count, atMs: nowMs });
    return count;
  }

  async #openProducer(): Promise<Producer> {
    const producer = this.#kafka.producer({
      transactionalId: this.#transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      transactionTimeout: this.#settings.transactionTimeoutMs,
      // Finite: kafkajs would try an idempotent send for ever.
      retry: { retries: 5, initialRetryTime: 50, maxRetryTime: 1_000 },
    });
    await producer.connect();
    return producer;
  }

  async #dropProducer(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    this.#partitions.clear();
    if (producer === null) return;
    // kafkajs waits for requests in flight without an end.
    await withDeadline(producer.disconnect(), 2_000, 'closing the producer').catch(() => undefined);
  }

  /** Opening the producer anew ends what is open, so that the offset then tells whether the transaction was committed. */
  async #isCommitted({ topic, partition, next }: FailureWrite): Promise<boolean> {
    const { groupId } = this.#settings;
    this.#producer = await this.#openProducer();
    await (await this.#producer.transaction()).abort();
    const [answer] = await this.#admin.fetchOffsets({ groupId, topics: [topic] });
    const offset = answer?.partitions.find((each) => each.partition === partition)?.offset ?? '-1';
    return BigInt(offset) >= next;
  }
}
