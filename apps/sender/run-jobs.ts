/**
 * Work beside the hot path, by BullMQ, with the senders as its workers: attempts of rows set aside when they come due, markers
 * of idle lanes, retention, background verify. The database knows what is due; without Redis the senders' own timers do
 * the first two.
 */
import type { Config } from '#config';
import type { Pool } from '#database';
import { createJobs, type DueJob, type JobData, type JobHandlers, type Jobs } from '#jobs';
import { connectKafka } from '#kafka-delivery';
import type { Doorbell, SenderEvent } from '#outbox';
import { createSenderStore, forgetDead, listDueLanes } from '#outbox-storage';
import { type Logger, RelayError, systemClock } from '#runtime';
import { summaryLine } from '#verification';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { redisTarget } from '../wiring/redis-target.ts';
import type { Service } from '../wiring/service.ts';
import { verifyDelivery } from '../wiring/verify-delivery.ts';

const RECONCILE_INTERVAL_MS = 10_000;
/** Hints for idle markers and old dead letters go out this often; the holders and the database decide what is really due. */
const UPKEEP_INTERVAL_MS = 60 * 60 * 1000;
const FORGET_ROWS_MAX = 1_000;
const STOP_DEADLINE_MS = 2_000;

export interface SenderJobs {
  readonly onEvent: (event: SenderEvent) => void;
  stop(): Promise<void>;
}

export function runJobs(service: Service, pool: Pool, doorbell: Doorbell): SenderJobs {
  const { config, logger } = service;
  const { prefix } = config.redis;
  const redis = redisTarget(config);
  if (redis === null) return { onEvent: () => undefined, stop: async () => undefined };
  const jobs = createJobs({
    redis,
    prefix,
    logger,
    handlers: createHandlers(config, pool, doorbell, logger),
    reconcile: createReconciler(config, pool),
    reconcileIntervalMs: RECONCILE_INTERVAL_MS,
  });
  jobs.start();
  return { onEvent: (event) => schedule(jobs, event), stop: () => jobs.stop(STOP_DEADLINE_MS) };
}

const LATER: readonly SenderEvent['kind'][] = [
  'row-retry-failed',
  'row-aside',
  'rows-too-large',
  'rows-still-too-large',
];

/** A row that was refused is known to be due then and then; the reconciler would find it, only later. */
function schedule(jobs: Jobs, event: SenderEvent): void {
  if (!LATER.some((kind) => kind === event.kind) || !('delayMs' in event) || !('lane' in event)) return;
  const { lane, delayMs } = event;
  // Never rejects but for malformed data, and a lane number is none.
  void jobs.add('retry-due', { lanes: [lane] }, { delayMs, dedupeKey: `retry-due:${lane}` });
}

function createHandlers(config: Config, pool: Pool, doorbell: Doorbell, logger: Logger): JobHandlers {
  const retentionMs = config.sender.deadLetterRetentionMs;
  return {
    'retry-due': async ({ lanes = [] }) => doorbell.ring({ kind: 'retry-due', lanes }),
    'refresh-markers': async ({ lanes = [] }) => doorbell.ring({ kind: 'markers-due', lanes }),
    cleanup: async () => {
      if (retentionMs === null) return;
      const rows = await forgetDead(pool, config.tables, retentionMs, FORGET_ROWS_MAX);
      if (rows > 0) logger.warn({ rows, retentionMs }, 'dead letters past their retention deleted');
    },
    verify: (data, context) => verifyInBackground(config, pool, logger, data, (percent) => context.progress(percent)),
  };
}

function createReconciler(config: Config, pool: Pool): () => Promise<readonly DueJob[]> {
  let upkeepAtMs = systemClock.nowMs();
  return async () => {
    const due: DueJob[] = (await listDueLanes(pool, config.tables)).map(({ lane, dueInMs }) => ({
      kind: 'retry-due',
      data: { lanes: [lane] },
      delayMs: Math.max(0, dueInMs),
      dedupeKey: `retry-due:${lane}`,
    }));
    if (systemClock.nowMs() < upkeepAtMs) return due;
    upkeepAtMs = systemClock.nowMs() + UPKEEP_INTERVAL_MS;
    const lanes = (await createSenderStore({ pool, tables: config.tables }).listLanes()).map(({ lane }) => lane);
    due.push({ kind: 'refresh-markers', data: { lanes }, dedupeKey: 'refresh-markers' });
    if (config.sender.deadLetterRetentionMs !== null) due.push({ kind: 'cleanup', data: {}, dedupeKey: 'cleanup' });
    return due;
  };
}

/** The result goes to the log of the sender that ran it: totals, and ids of offenders, never a payload. */
async function verifyInBackground(
  config: Config,
  pool: Pool,
  logger: Logger,
  data: JobData,
  progress: (percent: number) => Promise<void>,
): Promise<void> {
  if (config.sources.length === 0) {
    throw new RelayError(
      'CONFIG_INVALID',
      'this sender knows no sources: give it the settings of the writer to verify',
    );
  }
  let shown = -1;
  const result = await verifyDelivery({
    config,
    pool,
    kafka: connectKafka(kafkaOptions(config, logger)),
    ...(data.source === undefined ? {} : { only: [data.source] }),
    onProgress: ({ what, done, total }) => {
      const half = total === 0 ? 0 : (50 * done) / total;
      const percent = Math.floor(what === 'records' ? half : 50 + half);
      if (percent === shown) return;
      shown = percent;
      void progress(percent);
    },
  });
  const facts = { event: 'verified', ...result.totals, notes: result.notes };
  if (result.totals.passed) logger.info(facts, summaryLine(result.totals));
  else logger.error(facts, summaryLine(result.totals));
}
