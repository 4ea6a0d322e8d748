/** What a retriable consumer is made from, checked and completed in one place. */
import type { KafkajsOptions } from '#kafka-delivery';
import {
  type Clock,
  isOfClass,
  type Logger,
  type Random,
  RelayError,
  silentLogger,
  systemClock,
  systemRandom,
} from '#runtime';
import { bearingFaults } from './bearing-faults.ts';
import type { ConsumerMetrics } from './consumer-metrics.ts';
import type { Handler } from './message.ts';
import { WorkerHandlerError, type WorkerOptions } from './worker-pool.ts';

/** `none`: retries through the retry topic, later messages overtake. `key`, `partition`: retries in place, order is kept. */
export type Ordering = 'none' | 'key' | 'partition';

export interface TopicOptions {
  /** A name, or a pattern for the names that exist when the consumer starts. */
  readonly topic: string | RegExp;
  /** Where failed messages wait in the ordering `none`; read beside the topic in every ordering. Without: dead at once. */
  readonly retryTopic?: string;
  /** Attempts after the first. Default 5. */
  readonly retries?: number;
  /** Before the first retry. Default 15,000 ms. */
  readonly delayMs?: number;
  /** Factor of the delay from one retry to the next. Default 1. */
  readonly backoff?: number;
  /** Default 3,600,000 ms. */
  readonly delayMaxMs?: number;
  readonly deadLetterTopic: string;
}

type ErrorClass = abstract new (...args: never[]) => Error;

export interface ConsumerOptions extends Pick<KafkajsOptions, 'brokers' | 'ssl' | 'sasl'> {
  readonly groupId: string;
  readonly clientId?: string;
  readonly topics: readonly TopicOptions[];
  /** Either this, or `worker`. */
  readonly handler?: Handler;
  /** The handler is in a module and runs in worker threads: for work that keeps a processor busy. */
  readonly worker?: WorkerOptions;
  readonly ordering?: Ordering;
  /** Handlers at a time in this process, over all partitions. Default 16. */
  readonly concurrency?: number;
  /** How long running handlers are waited for on a rebalance and on stop. Default 30,000 ms. */
  readonly drainTimeoutMs?: number;
  /** Errors of these classes, or for which the function says so, are never tried again. */
  readonly nonRetriable?: readonly ErrorClass[] | ((error: unknown) => boolean);
  /** A member that does not answer for so long is out of the group. Default 10,000 ms. */
  readonly sessionTimeoutMs?: number;
  /** Default 1,000 ms. */
  readonly heartbeatIntervalMs?: number;
  /** What one record of retry and dead-letter topics may take; larger ones go in chunks. Default 1,000,000 bytes. */
  readonly recordBytesMax?: number;
  /** Bounds of the joiner of chunks, see the chunking library. */
  readonly chunkWaitMs?: number;
  readonly chunkBytesMax?: number;
  /** Read ahead of an unfinished message in one partition by so many records. Default 10,000. */
  readonly windowMax?: number;
  /** Where a group without offsets begins. Default true: at the beginning, so that nothing is missed. */
  readonly fromBeginning?: boolean;
  /** Records that handlers produce may go in chunks when they are too large. Default false: the attempt fails. */
  readonly splitOutputs?: boolean;
  /** Records that wait to be written are written so often. Default 200 ms. */
  readonly commitIntervalMs?: number;
  /**
   * The broker ends a transaction that is open for longer: so long do the next owner of a partition, and readers, wait for a
   * member that dies in the middle of one. Default 15,000 ms.
   */
  readonly transactionTimeoutMs?: number;
  /** Work without progress for so long is unhealthy. Above the longest time of a handler. Default 600,000 ms. */
  readonly stallMs?: number;
  readonly logger?: Logger;
  readonly metrics?: ConsumerMetrics;
  readonly clock?: Clock;
  readonly random?: Random;
}

export type TopicRule = Required<Omit<TopicOptions, 'retryTopic'>> & { readonly retryTopic: string | null };

export type ConsumerSettings = Required<
  Omit<ConsumerOptions, 'topics' | 'metrics' | 'ssl' | 'sasl' | 'nonRetriable' | 'worker'>
> &
  Pick<ConsumerOptions, 'metrics' | 'ssl' | 'sasl' | 'worker'> & {
    readonly topics: readonly TopicRule[];
    readonly isNonRetriable: (error: unknown) => boolean;
  };

const POSITIVE = [
  'concurrency',
  'heartbeatIntervalMs',
  'sessionTimeoutMs',
  'windowMax',
  'chunkWaitMs',
  'chunkBytesMax',
  'commitIntervalMs',
  'transactionTimeoutMs',
  'stallMs',
] as const;

const invalid = (text: string): RelayError => new RelayError('CONFIG_INVALID', text);

function checkNumber(name: string, value: number, min: number): void {
  if (!Number.isFinite(value) || value < min) throw invalid(`${name} must be a number of at least ${min}`);
}

const noHandler: Handler = () => {
  throw new RelayError('INTERNAL', 'the handler is in a worker');
};

/** Errors from a worker thread have the class only by name. */
const isOf = (error: unknown, each: ErrorClass): boolean =>
  isOfClass(error, each) || (isOfClass(error, WorkerHandlerError) && error.name === each.name);

/** What the caller gave may throw, for an error that nobody can look at above all: such an attempt is repeated like any other. */
function verdictOf(nonRetriable: NonNullable<ConsumerOptions['nonRetriable']>, error: unknown): boolean {
  try {
    if (typeof nonRetriable === 'function') return nonRetriable(error) === true;
    return nonRetriable.some((each) => isOf(error, each));
  } catch {
    return false;
  }
}

function ruleOf(options: TopicOptions): TopicRule {
  const rule = {
    retries: 5,
    delayMs: 15_000,
    backoff: 1,
    delayMaxMs: 3_600_000,
    ...options,
    retryTopic: options.retryTopic ?? null,
  };
  const name = String(rule.topic);
  if (name === '') throw invalid('a topic has no name');
  if (!rule.deadLetterTopic)
    throw invalid(`topic ${name} has no deadLetterTopic: a message that never succeeds needs one`);
  checkNumber(`retries of ${name}`, rule.retries, 0);
  checkNumber(`delayMs of ${name}`, rule.delayMs, 0);
  checkNumber(`backoff of ${name}`, rule.backoff, 1);
  checkNumber(`delayMaxMs of ${name}`, rule.delayMaxMs, 0);
  if (
    rule.retryTopic === rule.deadLetterTopic ||
    rule.topic === rule.retryTopic ||
    rule.topic === rule.deadLetterTopic
  ) {
    throw invalid(`topic ${name}: the topic, its retry topic and its dead-letter topic must differ`);
  }
  return rule;
}

function checkTopics(topics: readonly TopicRule[]): void {
  if (topics.length === 0) throw invalid('there is no topic to consume');
  const names = topics.flatMap(({ topic, retryTopic }) => [
    String(topic),
    ...(retryTopic === null ? [] : [retryTopic]),
  ]);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`${twice} is named twice: two topics cannot share a name or a retry topic`);
  const read = topics.find(({ deadLetterTopic }) => names.includes(deadLetterTopic));
  if (read)
    throw invalid(`${read.deadLetterTopic} is a dead-letter topic and consumed as well: a message would go in circles`);
}

/** A logger or a meter of the caller's that throws harms no message. */
function bearing({ logger, metrics }: ConsumerOptions): Pick<ConsumerOptions, 'logger' | 'metrics'> {
  return {
    ...(logger === undefined || logger === silentLogger ? {} : { logger: bearingFaults(logger) }),
    ...(metrics === undefined ? {} : { metrics: bearingFaults(metrics) }),
  };
}

/** Throws CONFIG_INVALID, with one clear line. */
export function settingsFrom(options: ConsumerOptions): ConsumerSettings {
  const { nonRetriable = [], handler = noHandler } = options;
  const settings: ConsumerSettings = {
    clientId: 'kafka-row-sender-consumer',
    ordering: 'none',
    concurrency: 16,
    drainTimeoutMs: 30_000,
    sessionTimeoutMs: 10_000,
    heartbeatIntervalMs: 1_000,
    recordBytesMax: 1_000_000,
    chunkWaitMs: 900_000,
    chunkBytesMax: 256 * 1024 * 1024,
    windowMax: 10_000,
    fromBeginning: true,
    splitOutputs: false,
    commitIntervalMs: 200,
    transactionTimeoutMs: 15_000,
    stallMs: 600_000,
    logger: silentLogger,
    clock: systemClock,
    random: systemRandom,
    ...options,
    ...bearing(options),
    handler,
    topics: options.topics.map(ruleOf),
    isNonRetriable: (error) => verdictOf(nonRetriable, error),
  };
  if ((options.handler === undefined) === (options.worker === undefined)) {
    throw invalid('give either a handler or a worker');
  }
  if (options.worker?.threads !== undefined) checkNumber('threads of the worker', options.worker.threads, 1);
  checkTopics(settings.topics);
  if (!settings.groupId) throw invalid('groupId is missing');
  if (settings.brokers.length === 0) throw invalid('there is no broker');
  for (const name of POSITIVE) checkNumber(name, settings[name], 1);
  checkNumber('drainTimeoutMs', settings.drainTimeoutMs, 0);
  checkNumber('recordBytesMax', settings.recordBytesMax, 20_000);
  return settings;
}
