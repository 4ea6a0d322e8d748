/** The Kafka port of the core on a real cluster. */
import { type DeliveryFaultScope, type KafkaPort, KnownTopics } from '#outbox';
import { RelayError } from '#runtime';
import type { Acknowledged } from './acknowledged.ts';
import { askDoubted } from './ask-doubted.ts';
import { openAtLeastOnceSession } from './at-least-once-session.ts';
import { createBatchBounds } from './batch-bounds.ts';
import { Closings } from './closings.ts';
import { connectKafka, type KafkaConnection } from './connect-kafka.ts';
import { endLeftovers } from './end-leftovers.ts';
import { faultOfThrown, type Step } from './fault-table.ts';
import { targetsOf } from './fault-targets.ts';
import { findLanded } from './find-landed.ts';
import type { PartitionPlace } from './find-producers.ts';
import { initProducer } from './init-producer.ts';
import { isDecided } from './is-decided.ts';
import { isTransactional, type KafkaOptions } from './kafka-options.ts';
import { byPlaceName, KnownProducers } from './known-producers.ts';
import { MarkerBook } from './marker-book.ts';
import { markerGroups } from './markers-of-lanes.ts';
import { pickPartition } from './partitioner.ts';
import { createRecordTime } from './record-time.ts';
import { createSettleWatch } from './settle-watch.ts';
import { newSizeLore } from './size-limits.ts';
import { createTopicCounts } from './topic-counts.ts';
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
  const targets = targetsOf(error);
  const { topic = targets[0]?.topic, partition } = error.details;
  if (typeof topic !== 'string') return null;
  return { topic, partition: typeof partition === 'number' ? partition : null, targets };
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
  const gate = settings.gate ?? (async () => undefined);
  const book = new MarkerBook(shared, settings);
  const producers = new KnownProducers();
  const views = createTopicCounts(shared, settings);
  const watch = createSettleWatch(settings);
  const context = { brokers: shared, settings, topics: known.names };

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
      const own = {
        ...{ settings, bounds, recordTime, topics: known.names, sizes, closings, brokers: connection.brokers() },
        onFenced: () => known.learn(sentTopics),
        onUnseen: (places: ReadonlyMap<string, PartitionPlace>) => producers.unseen(transactionalId, places),
        onOpened: (acknowledged: Acknowledged) => {
          book.opened(transactionalId, acknowledged);
          producers.opened(acknowledged);
        },
      };
      return transactional ? openTransactionalSession(transactionalId, own) : openAtLeastOnceSession(own);
    },
    fence: async (transactionalId, sentTopics) => {
      if (!transactional) return;
      await step('fence', 'init', async () => {
        const identity = await initProducer(shared, transactionalId, settings);
        producers.fenced(identity);
        await known.learn(sentTopics);
        const groups = markerGroups(settings);
        producers.unseen(transactionalId, byPlaceName(await endLeftovers({ ...context, groups }, identity)));
      });
    },
    readMarkers: async (kind, lanes) => {
      if (!transactional) throw new RelayError('INTERNAL', 'there are no markers in the at-least-once mode');
      return step('read-markers', 'read', () => book.read(kind, lanes));
    },
    settledMarkers: async (kind, lanes) => {
      const look = () => step('settled-markers', 'read', () => book.settled(kind, lanes));
      return transactional ? watch(look) : null;
    },
    findLanded: async (transactionalIds, lanes) => {
      if (!known.isComplete) return null;
      const question = { ...producers.question(transactionalIds), lanes: new Set(lanes), notes: book.notes };
      return step('find-landed', 'read', () => findLanded(context, question));
    },
    findDoubted: (doubts, lane) => step('find-landed', 'read', () => askDoubted(context, doubts, lane, producers.own)),
    isDecided: (id) => step('is-decided', 'read', () => isDecided(shared, settings, id)),
    countPartitions: (names) => step('count-partitions', 'metadata', () => views.count(names)),
    pickPartition: (key, spread, partitions) => pickPartition(settings.partitioner, key, spread, partitions),
    close: () => shared.close(),
  };
}
