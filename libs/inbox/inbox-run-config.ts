/** kafkajs: each message's effect once, and its offset only after the database has committed. */
import { createHash } from 'node:crypto';
import type { ConsumerRunConfig, EachBatchPayload, KafkaMessage } from 'kafkajs';
import { type Clock, RelayError, systemClock } from '#runtime';
import type { OnceOutcome } from './inbox-table.ts';
import type { OnceOptions } from './once.ts';
import { type InboxDatabase, type InboxTx, transactOnce } from './transact-once.ts';

export interface InboxMessage {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
  readonly eventId: string;
}

export interface InboxRunOptions<D extends InboxDatabase> extends OnceOptions {
  /** A pool of mysql2/promise, or a database of node:sqlite. */
  readonly database: D;
  /** The effect, in the transaction `tx` only. Synchronous with SQLite. May run again after it threw. */
  readonly handler: (tx: InboxTx<D>, message: InboxMessage) => unknown;
  /** Default: the header `id`. Throws when there is none. */
  readonly eventIdOf?: (message: KafkaMessage, topic: string, partition: number) => string;
  /** For metrics: after each message whose transaction is committed. */
  readonly onOutcome?: (outcome: OnceOutcome, message: InboxMessage) => void;
  /** Heartbeats go out so often while the handler runs. Default 1,000 ms. */
  readonly heartbeatIntervalMs?: number;
  readonly timers?: Pick<Clock, 'sleep'>;
}

/** The id of the event: the header `id`, as this relay and Debezium's outbox router write it. Throws KAFKA_RECORD_REFUSED. */
export function eventIdFromHeader(message: Pick<KafkaMessage, 'headers'>): string {
  const value = message.headers?.id;
  const first = Array.isArray(value) ? value[0] : value;
  const id = first === undefined || first === null ? '' : first.toString();
  if (id !== '') return id;
  throw new RelayError('KAFKA_RECORD_REFUSED', 'the message has no header `id` to know it by');
}

/** Leaves room for the rest in an inbox's id. */
const TOPIC_BYTES_MAX = 150;
const digestOf = (...parts: readonly (Buffer | string)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('base64url').slice(0, 22);
};

/**
 * Topic, partition and offset: knows a record that is read again, but not an event that was sent twice. Time and content are
 * in it as well: in a topic that was deleted and made anew another record has the offset, and is no duplicate.
 */
export function eventIdFromPosition(
  message: Pick<KafkaMessage, 'offset' | 'timestamp' | 'key' | 'value'>,
  topic: string,
  partition: number,
): string {
  const { offset, timestamp, key, value } = message;
  const name = topic.length > TOPIC_BYTES_MAX ? digestOf(topic) : topic;
  return `${name}/${partition}/${offset}/${timestamp}-${digestOf(key ?? '', value ?? '')}`;
}

/** Heartbeats beside `work`, so that a long handler does not cost the group a rebalance. A failed one is left to kafkajs. */
async function withHeartbeats<T>(
  work: Promise<T>,
  beat: () => Promise<void>,
  clock: Pick<Clock, 'sleep'>,
  everyMs: number,
) {
  const ended = new AbortController();
  const beating = (async () => {
    while (!ended.signal.aborted) {
      await clock.sleep(everyMs, ended.signal);
      if (!ended.signal.aborted) await beat().catch(() => ended.abort());
    }
  })();
  try {
    return await work;
  } finally {
    ended.abort();
    await beating;
  }
}

/**
 * What to give `consumer.run`: one message after the other, each in a transaction with its id; its offset is resolved after
 * the commit, so a consumer that dies between the two finds a duplicate when it reads again.
 * A message whose handler throws is tried again as kafkajs does it, holding its partition; for retries beside the stream and
 * dead letters call `transactOnce` from the handler of the retriable consumer instead.
 * Throws CONFIG_INVALID without a database or a handler.
 */
export function inboxRunConfig<D extends InboxDatabase>(options: InboxRunOptions<D>): ConsumerRunConfig {
  const { database, handler, eventIdOf = eventIdFromHeader, onOutcome } = options;
  const { timers = systemClock, heartbeatIntervalMs = 1_000 } = options;
  if (typeof database !== 'object' || database === null || typeof handler !== 'function') {
    throw new RelayError('CONFIG_INVALID', 'inboxRunConfig() needs a database and a handler');
  }
  const handle = async (topic: string, partition: number, message: KafkaMessage) => {
    const delivery = { topic, partition, message, eventId: eventIdOf(message, topic, partition) };
    // Not as an argument of the optional call: without `onOutcome` it would not be evaluated.
    const outcome = await transactOnce(database, delivery.eventId, (tx) => handler(tx, delivery), options);
    onOutcome?.(outcome, delivery);
  };
  const eachBatch = async ({
    batch,
    resolveOffset,
    heartbeat,
    commitOffsetsIfNecessary,
    ...state
  }: EachBatchPayload) => {
    for (const message of batch.messages) {
      if (!state.isRunning() || state.isStale()) return;
      await withHeartbeats(handle(batch.topic, batch.partition, message), heartbeat, timers, heartbeatIntervalMs);
      resolveOffset(message.offset);
      await commitOffsetsIfNecessary();
      await heartbeat();
    }
  };
  // Resolved by us alone: with auto-resolve a batch cut short would count as handled.
  return {
    eachBatch,
    eachBatchAutoResolve: false,
    autoCommit: true,
    autoCommitInterval: 1_000,
    autoCommitThreshold: 100,
  };
}
