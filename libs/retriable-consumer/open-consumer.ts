/** The consumer of kafkajs, as a retriable consumer wants it. */
import type { Consumer, Kafka } from 'kafkajs';
import type { ConsumerSettings } from './consumer-options.ts';

const FETCH_WAIT_MS = 500;

/** Connects to nothing yet. */
export function openConsumer(kafka: Kafka, settings: ConsumerSettings, isStopping: () => boolean): Consumer {
  return kafka.consumer({
    groupId: settings.groupId,
    sessionTimeout: settings.sessionTimeoutMs,
    heartbeatInterval: settings.heartbeatIntervalMs,
    // The group waits for our drain.
    rebalanceTimeout: settings.drainTimeoutMs + 30_000,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    allowAutoTopicCreation: false,
    retry: {
      retries: 8,
      initialRetryTime: 100,
      maxRetryTime: 5_000,
      restartOnFailure: async () => !isStopping(),
    },
  });
}
