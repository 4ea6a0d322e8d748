/** One job, from what BullMQ hands over to the handler and back. */
import { type Job, UnrecoverableError } from 'bullmq';
import { asRelayError, type Logger } from '#runtime';
import { isJobKind, type JobContext, type JobHandlers, parseJobData } from './job.ts';

/**
 * Rejects with the fault's code only: the text goes into Redis. A fatal fault is not tried again, others are, with
 * backoff; when the attempts are spent the job is gone and the reconciler adds it again if it is still due.
 */
export async function runJob(job: Job, handlers: JobHandlers, signal: AbortSignal, logger: Logger): Promise<void> {
  const data = parseJobData(job.data);
  if (!isJobKind(job.name) || data === null) {
    logger.warn({ kind: job.name }, 'dropped a job that is not of a known form');
    throw new UnrecoverableError('unknown form');
  }
  const context: JobContext = {
    signal,
    progress: async (percent) => {
      await job.updateProgress(percent).catch(() => undefined);
    },
  };
  try {
    logger.debug({ kind: job.name, ...data }, 'job started');
    await handlers[job.name](data, context);
    logger.debug({ kind: job.name, ...data }, 'job done');
  } catch (thrown) {
    const error = asRelayError(thrown);
    logger.warn({ kind: job.name, ...data, attempt: job.attemptsMade + 1, err: error }, 'job failed');
    if (error.verdict === 'fatal') throw new UnrecoverableError(error.code);
    throw new Error(error.code);
  }
}
