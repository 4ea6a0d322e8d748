/** What a writer shows: who leads, how far it is, how fast it moves rows. */
import type { ErrorCode } from '#runtime';
import type { FaultMetrics } from './fault-metrics.ts';
import type { Instruments } from './instruments.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface GapsHeldMetric {
  readonly ranges: number;
  readonly missing: bigint;
  readonly oldestMs: number;
  readonly holders: number;
  readonly staleMs: number;
}

export interface WriterMetrics {
  /** 1 while this process leads the source. A process that does not lead shows no position of it: the leader's is the true one. */
  leader(source: string, leads: boolean): void;
  /** True while Redis is configured and gives no usable answer to this process's election of the source. */
  electedWithoutRedis(source: string, isWithout: boolean): void;
  epoch(source: string, epoch: number): void;
  /** 1 while the source is halted, as this process knows. */
  halted(source: string, isHalted: boolean): void;
  /** Every row at or below it was moved, but for the gaps. Beyond 2^53 the shown number is rounded. */
  watermark(source: string, position: bigint): void;
  openGaps(source: string, gaps: number): void;
  /** What keeps gaps open: positions missing, age of the oldest in milliseconds, transactions that hold them, age of the last fresh list. */
  gapsHeld(source: string, held: GapsHeldMetric): void;
  /** Rows of one committed append; `late` of them had been left behind in a gap. */
  moved(source: string, rows: number, late: number): void;
  appendMs(source: string, durationMs: number): void;
  retry(code: ErrorCode): void;
  /** An append found that somebody else leads. */
  fenced(): void;
}

export function createWriterMetrics(make: Instruments, faults: FaultMetrics): WriterMetrics {
  const bySource = ['source'] as const;
  const leader = make.gauge('leader', '1 while this process leads the source, else 0', bySource);
  const withoutRedis = make.gauge(
    'election_without_redis',
    '1 while Redis gives no usable answer to the election of the source, which goes on by the database',
    bySource,
  );
  const halted = make.gauge('source_halted', '1 while the source is halted and waits for an operator', bySource);
  const epoch = make.gauge('epoch', 'Epoch of the current term', bySource);
  const watermark = make.gauge('watermark', 'Position up to which rows were moved to the outbox', bySource);
  const openGaps = make.gauge('open_gaps', 'Ranges below the watermark whose rows may still commit', bySource);
  const missing = make.gauge('open_gap_ids', 'Ids below the watermark that may still become rows', bySource);
  const oldest = make.gauge('oldest_gap_seconds', 'Age of the oldest open gap', bySource);
  const holders = make.gauge('gap_holding_transactions', 'Transactions that keep gaps open', bySource);
  const stale = make.gauge('transaction_list_stale_seconds', 'Time without a fresh list of transactions', bySource);
  const held = [openGaps, missing, oldest, holders, stale];
  const moved = make.counter('moved_rows_total', 'Rows moved to the outbox', bySource);
  const late = make.counter('moved_late_rows_total', 'Rows moved that committed after later ones', bySource);
  const append = make.histogram('append_seconds', 'Time of one append transaction', SECONDS, bySource);

  return {
    leader: (source, leads) => {
      leader.set({ source }, leads ? 1 : 0);
      if (!leads) for (const gauge of [epoch, watermark, ...held]) gauge.remove({ source });
    },
    electedWithoutRedis: (source, isWithout) => withoutRedis.set({ source }, isWithout ? 1 : 0),
    halted: (source, isHalted) => halted.set({ source }, isHalted ? 1 : 0),
    epoch: (source, value) => epoch.set({ source }, value),
    watermark: (source, position) => watermark.set({ source }, Number(position)),
    openGaps: (source, gaps) => openGaps.set({ source }, gaps),
    gapsHeld: (source, gaps) => {
      openGaps.set({ source }, gaps.ranges);
      missing.set({ source }, Number(gaps.missing));
      oldest.set({ source }, gaps.oldestMs / 1000);
      holders.set({ source }, gaps.holders);
      stale.set({ source }, gaps.staleMs / 1000);
    },
    moved: (source, rows, lateRows) => {
      moved.inc({ source }, rows);
      late.inc({ source }, lateRows);
    },
    appendMs: (source, durationMs) => append.observe({ source }, durationMs / 1000),
    retry: (code) => faults.retry('writer', code),
    fenced: () => faults.fenced('writer'),
  };
}
