/** The Kafka port of the core on a real cluster. */
import { type DeliveryFaultScope, type KafkaPort, KnownTopics } from '#outbox';
import { RelayError } from '#runtime';
import type { Acknowledged } from './acknowledged.ts';
import { openAtLeastOnceSession } from './at-least-once-session.ts';
import { createBatchBounds } from './batch-bounds.ts';
import { Closings } from './closings.ts';
import { connectKafka, type KafkaConnection } from './connect-kafka.ts';
import { endLeftovers } from './end-leftovers.ts';
import { faultOfThrown, type Step } from './fault-table.ts';
import { findLanded } from './find-landed.ts';
import { initProducer } from './init-producer.ts';
import { isTransactional, type KafkaOptions } from './kafka-options.ts';
import { MarkerBook } from './marker-book.ts';
import { markerGroups } from './markers-of-lanes.ts';
import { createRecordTime } from './record-time.ts';
import { createSettleWatch } from './settle-watch.ts';
import { newSizeLore } from './size-limits.ts';
import { openTransactionalSession } from './transactional-session.ts';

export interface ClosableKafkaPort extends KafkaPort {
  /** False in the at-least-once mode. */
  readonly transactional: boolean;
  /** Closes the port's own connections; sessions close themselves. */
  close(): Promise<void>;
}

/** The topic and partition a fault of this adapter (or of its fake) is about. */
export function scopeOf(error: unknown): DeliveryFaultScope | null {
  if (!(error instanceof RelayError)) return null;
  const { topic, partition } = error.details;
  if (typeof topic !== 'string') return null;
  return { topic, partition: typeof partition === 'number' ? partition : null };
}

/** Throws CONFIG_INVALID for a malformed broker address. */
export function createKafkaPort(options: KafkaOptions): ClosableKafkaPort {
  return createKafkaPortOn(connectKafka(options));
}

export function createKafkaPortOn(connection: KafkaConnection): ClosableKafkaPort {
  const { settings } = connection;
  const transactional = isTransactional(settings);
  const shared = connection.brokers();
  const bounds = createBatchBounds(settings.partitionBatchBytesMax);
  const sizes = newSizeLore(settings);
  const closings = new Closings(settings.clock);
  const recordTime = createRecordTime(settings);
  const known = new KnownTopics(settings.topics);
  const topics = known.names;
  const gate = settings.gate ?? (async () => undefined);
  const book = new MarkerBook(shared, settings);
  const producerIds = new Map<string, number>();
  const watch = createSettleWatch(settings);

  async function step<T>(name: string, place: Step, act: () => Promise<T>): Promise<T> {
    await gate(`before:${name}`);
    const result = await act().catch((error) => {
      throw faultOfThrown(error, { step: place });
    });
    await gate(`after:${name}`);
    return result;
  }

  return {
    transactional,
    scopeOf,
    open: async (transactionalId, sentTopics) => {
      const onOpened = (acknowledged: Acknowledged) => {
        book.opened(transactionalId, acknowledged);
        producerIds.set(transactionalId, acknowledged.identity.producerId);
      };
      const onFenced = () => known.learn(sentTopics);
      const lore = { bounds, recordTime, topics, sizes, closings };
      const context = { settings, ...lore, onFenced, onOpened, brokers: connection.brokers() };
      return transactional ? openTransactionalSession(transactionalId, context) : openAtLeastOnceSession(context);
    },
    fence: async (transactionalId, sentTopics) => {
      if (!transactional) return;
      await step('fence', 'init', async () => {
        const identity = await initProducer(shared, transactionalId, settings);
        producerIds.set(transactionalId, identity.producerId);
        await known.learn(sentTopics);
        await endLeftovers({ brokers: shared, settings, topics, groups: markerGroups(settings) }, identity);
      });
    },
    readMarkers: async (kind, lanes) => {
      if (!transactional) throw new RelayError('INTERNAL', 'there are no markers in the at-least-once mode');
      return step('read-markers', 'read', () => book.read(kind, lanes));
    },
    settledMarkers: async (kind, lanes) => {
      if (!transactional) return null;
      return watch(() => step('settled-markers', 'read', () => book.settled(kind, lanes)));
    },
    findLanded: async (transactionalIds, lanes) => {
      if (!known.isComplete) return null;
      const ids = transactionalIds.map((id) => producerIds.get(id)).filter((id) => id !== undefined);
      const question = { producerIds: new Set(ids), lanes: new Set(lanes), notes: book.notes };
      return step('find-landed', 'read', () => findLanded({ brokers: shared, settings, topics }, question));
    },
    close: () => shared.close(),
  };
}
