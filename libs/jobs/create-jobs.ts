/** Queue, worker and reconciler put together. */
import type { RedisTarget } from '#redis';
import { asRelayError, type Clock, type Logger, type Random, systemClock, systemRandom, withDeadline } from '#runtime';
import type { AddOptions, DueJob, JobData, JobHandlers, JobKind } from './job.ts';
import { createJobQueue, type JobQueue } from './job-queue.ts';
import { type JobWorker, startJobWorker } from './job-worker.ts';
import { createWorkerWatch } from './worker-watch.ts';

export interface JobsOptions {
  readonly redis: RedisTarget;
  /** The queue is `<prefix>-jobs`; its keys begin with `<prefix>:`, in a cluster with `{<prefix>}:`. */
  readonly prefix: string;
  readonly logger: Logger;
  readonly handlers: JobHandlers;
  /** Asks the database what is due; its rejections are logged and it is asked again. */
  readonly reconcile: () => Promise<readonly DueJob[]>;
  readonly reconcileIntervalMs: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface Jobs {
  /** `away`: not added because Redis does not answer; the reconciler will find it due. Never rejects but for malformed data. */
  add(kind: JobKind, data: JobData, options?: AddOptions): Promise<'queued' | 'away'>;
  /** Begins to work and to reconcile. Idempotent. */
  start(): void;
  /** Ends within about `deadlineMs`, with or without Redis. Idempotent. */
  stop(deadlineMs: number): Promise<void>;
}

/** Due jobs added in one round; the rest is still due in the next. */
const DUE_JOBS_MAX = 1000;
/** A worker with room that took nothing for so long, while jobs wait, is replaced. */
const SILENT_MIN_MS = 30_000;
const SILENT_INTERVALS = 3;
/** An orderly end of a worker that hangs is not waited for. */
const REPLACE_DEADLINE_MS = 1000;
/** Cutting the connections comes after the deadline of the jobs. */
const STOP_GRACE_MS = 500;

/** Stops at the first job that Redis does not take: the next round finds the rest still due. */
async function addDue(queue: JobQueue, due: readonly DueJob[], signal: AbortSignal): Promise<void> {
  for (const { kind, data, ...rest } of due.slice(0, DUE_JOBS_MAX)) {
    if (signal.aborted || (await queue.add(kind, data, rest)) === 'away') return;
  }
}

export function createJobs(options: JobsOptions): Jobs {
  const { prefix, logger, reconcileIntervalMs } = options;
  const clock = options.clock ?? systemClock;
  const common = { target: options.redis, prefix, logger, clock, random: options.random ?? systemRandom };
  const silentMs = Math.max(SILENT_MIN_MS, SILENT_INTERVALS * reconcileIntervalMs);
  const hangs = createWorkerWatch(silentMs);
  const queue = createJobQueue(common);
  const stopping = new AbortController();
  let worker: JobWorker | null = null;
  let reconciled: Promise<void> | null = null;
  let stopped: Promise<void> | null = null;

  const startWorker = () => startJobWorker({ ...common, handlers: options.handlers });

  const replaceHungWorker = async () => {
    const waiting = await queue.waiting();
    if (worker === null || stopping.signal.aborted) return;
    const { full, lastActiveMs } = worker;
    if (!hangs({ waiting, full, lastActiveMs }, clock.nowMs())) return;
    logger.error({ waiting, silentMs }, 'the job worker hangs while jobs wait: replaced');
    const hung = worker;
    worker = startWorker();
    await hung.close(REPLACE_DEADLINE_MS);
  };

  const reconcileForEver = async () => {
    while (!stopping.signal.aborted) {
      try {
        await addDue(queue, await options.reconcile(), stopping.signal);
        await replaceHungWorker();
      } catch (error) {
        logger.warn({ err: asRelayError(error) }, 'could not find out which jobs are due');
      }
      await clock.sleep(reconcileIntervalMs, stopping.signal);
    }
  };

  const stop = async (deadlineMs: number) => {
    stopping.abort();
    const ended = Promise.all([reconciled, worker?.close(deadlineMs)]);
    await withDeadline(ended, deadlineMs + STOP_GRACE_MS, 'stopping jobs').catch(() => undefined);
    await queue.close();
  };

  return {
    add: (kind, data, addOptions = {}) => queue.add(kind, data, addOptions),
    start: () => {
      if (stopping.signal.aborted) return;
      worker ??= startWorker();
      reconciled ??= reconcileForEver();
    },
    stop: (deadlineMs) => {
      stopped ??= stop(deadlineMs);
      return stopped;
    },
  };
}
