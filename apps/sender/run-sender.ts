/** A sender process: one track, that is one transactional producer for all the lanes it holds. */
import { type Doorbell, type KafkaPort, Sender, type SenderEvent, type SenderStore } from '#outbox';
import { type Progress, systemClock, systemRandom } from '#runtime';
import { logSenderEvents, summariseDeliveries } from '../wiring/log-events.ts';
import { MARKER_REFRESH_MS, SUMMARY_INTERVAL_MS, senderTickMs } from '../wiring/pace.ts';
import { type Service, senderIdOf } from '../wiring/service.ts';

const MARKER_SETTLE_MS = 5_000;
/** A transaction that takes longer than this share of its time-out makes the next one smaller. */
const TARGETS_PER_TIMEOUT = 8;
const PARKED_KEYS_MAX = 10_000;
/** A leader election takes less. */
const TARGET_PATIENCE_MS = 2_000;
/** Of one lane. What waits is in the outbox, or here: past this it is in the outbox, and the lane waits with it. */
const WAITING_MAX = { rowsMax: 1_000_000, bytesMax: 4 * 1024 ** 3 };
const TRIM_ROWS_MAX = 5_000;
const TRIM_INTERVAL_MS = 250;

export interface SenderParts {
  readonly store: SenderStore;
  readonly doorbell: Doorbell;
  readonly kafka: KafkaPort;
  readonly onEvent: (event: SenderEvent) => void;
  readonly progress: Progress;
  /** The lanes that the sender holds now. */
  readonly onSender?: (sender: Sender) => void;
}

/** Runs until the signal aborts, then gives the lanes back. Rejects with a fatal fault only. */
export async function runSender(service: Service, parts: SenderParts): Promise<void> {
  const { config, logger, signal } = service;
  const log = logSenderEvents(logger);
  const summary = summariseDeliveries(logger);
  const sender = new Sender({
    transactionalId: senderIdOf(service),
    store: parts.store,
    kafka: parts.kafka,
    doorbell: parts.doorbell,
    clock: systemClock,
    random: systemRandom,
    limits: { rowsMax: config.sender.batchRowsMax, bytesMax: config.sender.batchBytesMax },
    transactionTargetMs: config.kafka.transactionTimeoutMs / TARGETS_PER_TIMEOUT,
    pollIntervalMs: config.sender.pollIntervalMs,
    leaseMs: config.sender.laneLeaseMs,
    tickMs: senderTickMs(config),
    markerSettleMs: MARKER_SETTLE_MS,
    markerRefreshMs: MARKER_REFRESH_MS,
    backoff: config.sender.retryBackoff,
    retriesMax: config.sender.retriesMax,
    rowFaultPolicy: config.sender.rowFaultPolicy,
    parkedKeysMax: PARKED_KEYS_MAX,
    targetPatienceMs: TARGET_PATIENCE_MS,
    waiting: WAITING_MAX,
    trimRowsMax: TRIM_ROWS_MAX,
    trimIntervalMs: TRIM_INTERVAL_MS,
    progress: parts.progress,
    onEvent: (event) => {
      log(event);
      summary.note(event);
      parts.onEvent(event);
    },
  });
  parts.onSender?.(sender);
  const summaryTimer = setInterval(() => summary.flush(), SUMMARY_INTERVAL_MS);
  try {
    await sender.run(signal);
  } finally {
    clearInterval(summaryTimer);
    summary.flush();
  }
}
