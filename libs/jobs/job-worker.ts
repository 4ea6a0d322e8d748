/** The working side: one BullMQ worker, its liveness, and an end that cannot hang. */
import { Worker } from 'bullmq';
import { type RedisTarget, redisErrorCode, reportRefusals } from '#redis';
import { type Clock, type Logger, type Random, withDeadline } from '#runtime';
import type { JobHandlers } from './job.ts';
import { JOBS_EFFECT, keyPrefix, queueName } from './job-queue.ts';
import { pauseAfterRefusal } from './pause-after-refusal.ts';
import { runJob } from './run-job.ts';
import { openWorkerConnection } from './worker-connection.ts';

export interface JobWorkerOptions {
  readonly target: RedisTarget;
  readonly prefix: string;
  readonly handlers: JobHandlers;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
}

export interface JobWorker {
  /** True while it runs as many jobs as it may. */
  readonly full: boolean;
  /** Monotonic time at which it last began or ended a job, or was started. */
  readonly lastActiveMs: number;
  /** Aborts the jobs' signals, waits for them until the deadline, then cuts the connections. Never rejects. */
  close(deadlineMs: number): Promise<void>;
}

/** Jobs one process runs at a time: a long verify must not keep a retry waiting. */
const CONCURRENCY = 4;
const LOCK_MS = 30_000;
/** Workers that die take a job down with them this many times before it fails; the reconciler would add it again anyway. */
const STALLED_MAX = 10;
/** How soon a finished job is reported again after Redis was away. */
const REPORT_RETRY_MS = 1000;
/** What cutting the connections may take when the jobs used up the deadline. */
const CUT_DEADLINE_MS = 200;

/** A close that gets stuck half-way, as seen when Redis hangs, leaves BullMQ's lock renewal running for ever; this ends it. */
class CuttableWorker extends Worker {
  cut(): Promise<void> {
    return this.lockManager.close();
  }
}

function reportFaults(worker: Worker, use: string, logger: Logger): void {
  const refusals = reportRefusals(use, JOBS_EFFECT, logger);
  worker.on('error', (error) => {
    const code = redisErrorCode(error);
    if (error.name === 'ReplyError') refusals.refused('fetching jobs', code);
    logger.debug({ code }, 'the job worker reported a fault');
  });
  for (const sign of ['active', 'drained'] as const) worker.on(sign, () => refusals.taken('fetching jobs'));
}

export function startJobWorker(options: JobWorkerOptions): JobWorker {
  const { prefix, handlers, logger, clock } = options;
  const connection = openWorkerConnection(options.target, `${prefix}-jobs-worker`, logger, options.random);
  const stopping = new AbortController();
  const idle = new AbortController();
  let running = 0;
  let activeAtMs = clock.nowMs();

  // Three parameters: BullMQ hands a signal only to processors that ask for it.
  const perform = async (job: Parameters<typeof runJob>[0], _token?: string, cancelled?: AbortSignal) => {
    // Fetched just before the end: it runs again elsewhere.
    if (stopping.signal.aborted) throw new Error('STOPPED');
    running += 1;
    activeAtMs = clock.nowMs();
    try {
      const signal = AbortSignal.any([stopping.signal, ...(cancelled ? [cancelled] : [])]);
      await runJob(job, handlers, signal, logger);
    } finally {
      running -= 1;
      activeAtMs = clock.nowMs();
      if (running === 0 && stopping.signal.aborted) idle.abort();
    }
  };
  const worker = new CuttableWorker(queueName(prefix), (job, token, signal) => perform(job, token, signal), {
    connection: connection.redis,
    autorun: false,
    prefix: keyPrefix(prefix, options.target),
    concurrency: CONCURRENCY,
    lockDuration: LOCK_MS,
    stalledInterval: LOCK_MS,
    maxStalledCount: STALLED_MAX,
    runRetryDelay: REPORT_RETRY_MS,
  });
  // Outages are reported once by the connection, refusals here; the rest is BullMQ's own trouble with single jobs.
  pauseAfterRefusal(worker, clock, options.random, stopping.signal);
  reportFaults(worker, `${prefix}-jobs-worker`, logger);
  const onFault = (error: Error) => logger.debug({ code: redisErrorCode(error) }, 'the job worker cannot run');
  worker.run().catch(onFault);
  // The lock is gone, so another worker may run the job as well.
  worker.on('lockRenewalFailed', (jobIds: string[]) => {
    for (const id of jobIds) worker.cancelJob(id, 'another worker may have taken the job');
  });

  return {
    get full() {
      return running >= CONCURRENCY;
    },
    get lastActiveMs() {
      return activeAtMs;
    },
    close: async (deadlineMs) => {
      stopping.abort();
      const deadline = clock.nowMs() + deadlineMs;
      await worker.pause(true);
      if (running > 0) await clock.sleep(deadlineMs, idle.signal);
      if (running > 0) logger.warn({ running }, 'jobs did not end in time and will run again elsewhere');
      // An orderly close reports what has just ended, for which it needs Redis, and waits for jobs without a limit.
      const orderly = running === 0 && connection.redis.status === 'ready';
      const remainingMs = Math.max(CUT_DEADLINE_MS, deadline - clock.nowMs());
      await withDeadline(worker.close(!orderly), remainingMs, 'closing the job worker').catch(() => undefined);
      connection.close();
      await worker.cut();
    },
  };
}
