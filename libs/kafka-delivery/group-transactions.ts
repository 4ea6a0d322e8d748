/**
 * Transactions for consumers: records, and the offsets that a member of a group has come to, in one transaction. The
 * coordinator refuses offsets of a member that the group has moved on without (KIP-447), so that a process which wakes up
 * too late can write neither its records nor its offsets.
 * Read offsets by `stableOffset` afterwards: while a transaction that writes them is open, it waits.
 */
import { asRelayError, RelayError } from '#runtime';
import { askCoordinator } from './ask-coordinator.ts';
import { createBatchBounds } from './batch-bounds.ts';
import type { Brokers } from './brokers.ts';
import { connectKafka } from './connect-kafka.ts';
import { CODE, faultOfCode } from './fault-table.ts';
import { isGone } from './is-gone.ts';
import type { KafkaOptions } from './kafka-options.ts';
import type { RoutedRecord } from './plan-delivery.ts';
import { createRecordTime } from './record-time.ts';
import type { Committed } from './topic-positions.ts';
import { createTopicViews } from './topic-views.ts';
import type { OffsetSet } from './transaction.ts';
import { type OpenProducer, openProducer } from './transactional-session.ts';
import { fetchOffsets } from './wire/cluster-requests.ts';

export type GroupTransactionOptions = Omit<
  KafkaOptions,
  'prefix' | 'outboxTable' | 'topics' | 'acks' | 'idempotent'
> & {
  /** Unique among living processes, unless the older one is to be fenced. */
  readonly transactionalId: string;
};

export interface GroupTransactions {
  /**
   * Fences older producers of the transactional id and ends what they left open; without it the first `transact` does.
   * `topics`: where they may have written.
   */
  open(topics?: readonly string[]): Promise<void>;
  /**
   * Resolves when the transaction is committed. Rejects with the fault table's codes: KAFKA_FENCED when the group has moved
   * on (`details.type` ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS), KAFKA_RECORD_REFUSED or
   * KAFKA_TOPIC_MISSING with `details.topic`; nothing was written then. KAFKA_OUTCOME_UNKNOWN says what it says: ask
   * `stableOffset`, after which it is decided. The next call begins with a new producer.
   */
  transact(records: readonly RoutedRecord[], offsets: OffsetSet | null): Promise<void>;
  /**
   * The committed offset, -1 when there is none, and what was written beside it, after waiting for open transactions to end.
   * Up to 5 s; KAFKA_UNREACHABLE then.
   */
  stableOffset(group: string, topic: string, partition: number): Promise<Committed>;
  /** Whether the topic is missing, as every living broker knows now. Rejects when one of them does not answer. */
  isGone(topic: string): Promise<boolean>;
  /** Rejects with KAFKA_TOPIC_MISSING. At most 30 s old. */
  partitionsOf(topic: string): Promise<number>;
  close(): Promise<void>;
}

const STABLE_PATIENCE_MS = 5_000;

async function readStableOffset(
  brokers: Brokers,
  settings: Parameters<typeof askCoordinator>[1],
  place: { readonly group: string; readonly topic: string; readonly partition: number },
): Promise<Committed> {
  const { group, topic, partition } = place;
  const plain = fetchOffsets(group, topic, [partition], true);
  const request = {
    ...plain,
    read: (reader: Parameters<typeof plain.read>[0]) => {
      const { code, offsets } = plain.read(reader);
      const { offset = -1, metadata = '' } = offsets[0] ?? {};
      return { code: code === CODE.none ? (offsets[0]?.code ?? CODE.none) : code, offset, metadata };
    },
  };
  const question = { kind: 'group', key: group, step: 'read', request, patienceMs: STABLE_PATIENCE_MS } as const;
  const { code, offset, metadata } = await askCoordinator(brokers, settings, question);
  if (code !== CODE.none) throw faultOfCode(code, { step: 'read', topic, partition });
  return { offset, metadata };
}

/** Connects to nothing before it is used. Throws CONFIG_INVALID for a malformed broker address. */
export function createGroupTransactions(options: GroupTransactionOptions): GroupTransactions {
  const { transactionalId, ...rest } = options;
  const connection = connectKafka({ ...rest, prefix: '', outboxTable: '' });
  const { settings } = connection;
  const shared = connection.brokers();
  const views = createTopicViews(shared, settings);
  const bounds = createBatchBounds(settings.partitionBatchBytesMax);
  const recordTime = createRecordTime(settings);
  const written = new Set<string>();
  const groups = new Set<string>();
  let producer: OpenProducer | null = null;

  async function drop(): Promise<void> {
    const dropped = producer;
    producer = null;
    await dropped?.close();
  }

  async function open(topics: readonly string[] = []): Promise<void> {
    await drop();
    for (const topic of topics) written.add(topic);
    const context = { settings, bounds, recordTime, topics: written, brokers: connection.brokers() };
    producer = await openProducer(transactionalId, context, [...groups]);
  }

  async function transact(records: readonly RoutedRecord[], offsets: OffsetSet | null): Promise<void> {
    if (offsets !== null) groups.add(offsets.group);
    if (producer === null) await open();
    if (producer === null) throw new RelayError('INTERNAL', 'there is no producer');
    try {
      await producer.transact(records, offsets === null ? [] : [offsets]);
    } catch (thrown) {
      views.forget();
      await drop();
      throw asRelayError(thrown);
    }
  }

  return {
    open,
    transact,
    stableOffset: (group, topic, partition) => readStableOffset(shared, settings, { group, topic, partition }),
    isGone: (topic) => isGone(shared, topic),
    partitionsOf: async (topic) => (await views.load(new Set([topic]))).get(topic)?.length ?? 0,
    close: async () => {
      await drop();
      await shared.close();
    },
  };
}
