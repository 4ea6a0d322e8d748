/** What a sender shows: what waits, what it delivers and how fast, and what it could not deliver. */
import type { ErrorCode } from '#runtime';
import type { FaultMetrics } from './fault-metrics.ts';
import type { Instruments } from './instruments.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const ROWS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];
const BYTES = [1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7];

export interface SenderMetrics {
  /** Rows of the source waiting in the outbox and the age of the oldest; null when nothing waits. */
  backlog(source: string, rows: number, oldestAgeMs: number | null): void;
  /** One committed transaction: rows, bytes of key, value and headers, and its time from begin to commit. */
  delivered(batch: { readonly rows: number; readonly bytes: number; readonly transactionMs: number }): void;
  retry(code: ErrorCode): void;
  /** A producer or a claim of ours turned out to be somebody else's. */
  fenced(): void;
  lanesHeld(lanes: number): void;
  lanesHalted(lanes: number): void;
  /** Rows known to be too large before they were sent; a row counts again with each attempt that comes due. */
  tooLarge(rows: number): void;
  /** Pauses that brokers imposed within the last minute. */
  throttled(lastMinuteMs: number): void;
  /** One more row given up. */
  rowDead(): void;
  /** Topics and partitions that take nothing, of which rows are set aside, and how long the first of these waits. */
  blockedTargets(targets: number, oldestMs: number): void;
  /** Rows in the dead letter table, by what they wait for. */
  aside(counts: {
    readonly retrying: number;
    readonly parked: number;
    readonly waiting: number;
    readonly dead: number;
  }): void;
}

export function createSenderMetrics(make: Instruments, faults: FaultMetrics): SenderMetrics {
  const bySource = ['source'] as const;
  const backlog = make.gauge('backlog_rows', 'Rows waiting in the outbox', bySource);
  const oldest = make.gauge('backlog_oldest_age_seconds', 'Age of the oldest undelivered row', bySource);
  const delivered = make.counter('delivered_rows_total', 'Rows committed to Kafka');
  const deliveredBytes = make.counter('delivered_bytes_total', 'Bytes of key, value and headers committed to Kafka');
  const rows = make.histogram('batch_rows', 'Rows in one transaction', ROWS);
  const bytes = make.histogram('batch_bytes', 'Bytes in one transaction', BYTES);
  const transaction = make.histogram('transaction_seconds', 'Time of one Kafka transaction', SECONDS);
  const held = make.gauge('lanes_held', 'Lanes this process delivers');
  const halted = make.gauge('lanes_halted', 'Lanes stopped until an operator decides');
  const tooLarge = make.counter('rows_too_large_total', 'Rows that were not sent since Kafka would refuse their size');
  const throttled = make.gauge('throttled_seconds', 'Pauses that a broker imposed on this process in the last minute');
  const dead = make.counter('dead_letters_total', 'Rows given up by this process');
  const blocked = make.gauge('blocked_targets', 'Topics and partitions that take nothing, with rows that wait aside');
  const blockedAge = make.gauge(
    'blocked_targets_oldest_age_seconds',
    'Since the first row that waits for one was set aside',
  );
  const aside = make.gauge('aside_rows', 'Rows set aside from their lanes', ['state']);

  return {
    backlog: (source, count, oldestAgeMs) => {
      backlog.set({ source }, count);
      oldest.set({ source }, Math.max(0, oldestAgeMs ?? 0) / 1000);
    },
    delivered: (batch) => {
      delivered.inc(batch.rows);
      deliveredBytes.inc(batch.bytes);
      rows.observe(batch.rows);
      bytes.observe(batch.bytes);
      transaction.observe(batch.transactionMs / 1000);
    },
    retry: (code) => faults.retry('sender', code),
    fenced: () => faults.fenced('sender'),
    lanesHeld: (lanes) => held.set(lanes),
    lanesHalted: (lanes) => halted.set(lanes),
    tooLarge: (count) => tooLarge.inc(count),
    throttled: (lastMinuteMs) => throttled.set(lastMinuteMs / 1000),
    rowDead: () => dead.inc(),
    blockedTargets: (targets, oldestMs) => {
      blocked.set(targets);
      blockedAge.set(oldestMs / 1000);
    },
    aside: (counts) => {
      for (const [state, count] of Object.entries(counts)) aside.set({ state }, count);
    },
  };
}
