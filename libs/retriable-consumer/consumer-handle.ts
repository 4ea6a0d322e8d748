/** What the application holds of its consumer. */
import type { ProgressHealth } from '#observability';
import type { RelayError } from '#runtime';

export interface RetriableConsumer {
  /**
   * Resolves when the group is joined. Throws KAFKA_TOPIC_MISSING when a topic or a dead-letter topic is not there. A retry
   * topic that is not there is reported, and its messages go to the dead letters. Throws what has ended it at once: a right that is
   * missing, for example.
   */
  start(): Promise<void>;
  /** Starts nothing new, waits for what runs up to `drainTimeoutMs`, commits, leaves the group. May be called again. */
  stop(): Promise<void>;
  /**
   * Resolves with null once it was stopped, or with the fault that has ended it: a process that only consumes is to end then, with
   * an exit code. Never rejects.
   */
  ended(): Promise<RelayError | null>;
  /** Healthy while there is progress, or nothing to do. */
  health(): ReturnType<ProgressHealth['health']>;
}
