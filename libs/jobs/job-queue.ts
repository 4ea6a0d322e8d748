/** The adding side: fails fast, so that a caller never waits for a Redis that is away. */
import { Queue } from 'bullmq';
import { closeRedis, openRedis, type RedisTarget, redisErrorCode, reportRefusals, waitUntilReady } from '#redis';
import { type Clock, type Logger, type Random, RelayError, withDeadline } from '#runtime';
import { type AddOptions, type JobData, type JobKind, parseJobData } from './job.ts';

export interface JobQueueOptions {
  readonly target: RedisTarget;
  readonly prefix: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

export interface JobQueue {
  /** `away`: not added, Redis did not answer in time. Rejects with INTERNAL only for data that is not of the form. */
  add(kind: JobKind, data: JobData, options: AddOptions): Promise<'queued' | 'away'>;
  /** Jobs nobody has taken yet, or null when Redis does not answer. */
  waiting(): Promise<number | null>;
  close(): Promise<void>;
}

const COMMAND_TIMEOUT_MS = 2000;
/** BullMQ may need a second command (the script itself after a restart of Redis). */
const CALL_DEADLINE_MS = 2 * COMMAND_TIMEOUT_MS;
/** The first call waits this long for the connection. */
const FIRST_CONNECT_WAIT_MS = 1000;
const ATTEMPTS_MAX = 5;
const BACKOFF_BASE_MS = 1000;
const BACKOFF_JITTER = 0.5;

/** BullMQ forbids `:` in queue names. The keys begin with the prefix itself, so an ACL can be limited to it. */
export function queueName(prefix: string): string {
  return `${prefix.replaceAll(':', '-')}-jobs`;
}

/** In a cluster all keys of a queue must lie on one node: what stands in braces decides. */
export function keyPrefix(prefix: string, { address }: RedisTarget): string {
  return address.kind === 'cluster' ? `{${prefix}}` : prefix;
}

export const JOBS_EFFECT = 'background jobs stand still, the senders do by their own timers what cannot wait';

export function createJobQueue(options: JobQueueOptions): JobQueue {
  const { prefix, logger, clock } = options;
  const redis = openRedis({ ...options, use: `${prefix}-jobs`, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  const refusals = reportRefusals(`${prefix}-jobs`, JOBS_EFFECT, logger);
  const connected = waitUntilReady(redis, FIRST_CONNECT_WAIT_MS, clock);
  const queue = new Queue(queueName(prefix), {
    connection: redis,
    prefix: keyPrefix(prefix, options.target),
    // Neither needs an answer from Redis before the first job.
    skipVersionCheck: true,
    skipMetasUpdate: true,
    defaultJobOptions: {
      attempts: ATTEMPTS_MAX,
      backoff: { type: 'exponential', delay: BACKOFF_BASE_MS, jitter: BACKOFF_JITTER },
      // A finished job must not hold its key: the database says whether it is due again.
      removeOnComplete: true,
      removeOnFail: true,
    },
  });
  // Connection faults are reported once an outage by the connection itself.
  queue.on('error', () => undefined);

  const call = async <T>(what: string, work: () => Promise<T>): Promise<T | null> => {
    await connected;
    // BullMQ would wait for the connection without a deadline.
    if (redis.status !== 'ready') return null;
    try {
      const answer = await withDeadline(work(), CALL_DEADLINE_MS, what);
      refusals.taken(what);
      return answer;
    } catch (error) {
      const code = redisErrorCode(error);
      if (error instanceof Error && error.name === 'ReplyError') refusals.refused(what, code);
      logger.debug({ what, code }, 'the job queue did not answer');
      return null;
    }
  };

  return {
    add: async (kind, data, { delayMs = 0, dedupeKey }) => {
      if (parseJobData(data) === null) throw new RelayError('INTERNAL', `data of a ${kind} job is not of its form`);
      const job = await call('adding a job', () =>
        queue.add(kind, data, {
          delay: Math.max(0, Math.ceil(delayMs)),
          ...(dedupeKey === undefined ? {} : { deduplication: { id: dedupeKey, reschedule: true } }),
        }),
      );
      return job === null ? 'away' : 'queued';
    },
    waiting: () => call('counting jobs', () => queue.getWaitingCount()),
    close: async () => {
      closeRedis(redis);
      await withDeadline(queue.close(), CALL_DEADLINE_MS, 'closing the job queue').catch(() => undefined);
    },
  };
}
