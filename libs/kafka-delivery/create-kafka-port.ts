/** The Kafka port of the core on a real cluster. */
import type { DeliveryFaultScope, KafkaPort } from '#outbox';
import { RelayError } from '#runtime';
import { openAtLeastOnceSession } from './at-least-once-session.ts';
import { createBatchBounds } from './batch-bounds.ts';
import { connectKafka, type KafkaConnection } from './connect-kafka.ts';
import { endLeftovers } from './end-leftovers.ts';
import { faultOfThrown } from './fault-table.ts';
import { initProducer } from './init-producer.ts';
import { isTransactional, type KafkaOptions } from './kafka-options.ts';
import { markerGroups } from './markers-of-lanes.ts';
import { readMarkers, readSettledMarkers } from './read-markers.ts';
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
  const topics = new Set(settings.topics);
  const gate = settings.gate ?? (async () => undefined);

  return {
    transactional,
    scopeOf,
    open: async (transactionalId) => {
      const context = { settings, bounds, topics, brokers: connection.brokers() };
      return transactional ? openTransactionalSession(transactionalId, context) : openAtLeastOnceSession(context);
    },
    fence: async (transactionalId) => {
      if (!transactional) return;
      await gate('before:fence');
      try {
        const identity = await initProducer(shared, transactionalId, settings);
        await endLeftovers({ brokers: shared, settings, topics, groups: markerGroups(settings) }, identity);
      } catch (error) {
        throw faultOfThrown(error, { step: 'init' });
      }
      await gate('after:fence');
    },
    readMarkers: async (kind, lanes) => {
      if (!transactional) throw new RelayError('INTERNAL', 'there are no markers in the at-least-once mode');
      await gate('before:read-markers');
      const markers = await readMarkers(shared, settings, kind, lanes).catch((error) => {
        throw faultOfThrown(error, { step: 'read' });
      });
      await gate('after:read-markers');
      return markers;
    },
    settledMarkers: async (kind, lanes) => {
      if (!transactional) return null;
      await gate('before:settled-markers');
      const markers = await readSettledMarkers(shared, settings, kind, lanes).catch((error) => {
        throw faultOfThrown(error, { step: 'read' });
      });
      await gate('after:settled-markers');
      return markers;
    },
    close: () => shared.close(),
  };
}
