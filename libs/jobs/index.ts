/**
 * Rank 2: work beside the hot path, by BullMQ, with the senders as its workers: delayed retries of faulted rows, marker
 * refresh, cleanup, background verify.
 *
 * The database knows what is due; Redis only shares the work out (I7). Every `reconcileIntervalMs` each process asks
 * `reconcile` what is due and adds it again under its deduplication key, so an emptied or lost Redis costs one interval,
 * and nothing is scheduled inside Redis. A job may run twice, or on two workers at once after an outage: handlers are
 * idempotent. Nothing here ever throws into the application because Redis is away.
 */
export { createJobs, type Jobs, type JobsOptions } from './create-jobs.ts';
export {
  type AddOptions,
  type DueJob,
  JOB_KINDS,
  type JobContext,
  type JobData,
  type JobHandlers,
  type JobKind,
} from './job.ts';
export { probeJobs } from './probe-jobs.ts';
