/** The figures that must be reached, and whether they were. */

import type { GapsResult } from './measure-gaps.ts';
import { bestRaw } from './measure-raw.ts';
import { type Measured, nameOfGaps } from './run-all.ts';
import { median } from './statistics.ts';

export interface Floor {
  readonly name: string;
  readonly wanted: string;
  readonly found: number;
  readonly unit: string;
  readonly held: boolean;
}

const DRAIN_RATIO_MIN = 0.6;
const PATH_RATIO_MIN = 0.3;
const P50_MS_MAX = 25;
const P99_MS_MAX = 100;
const RSS_MB_MAX = 200;
const IDLE_CPU_MAX = 0.01;
const IDLE_STATEMENTS_MAX = 5;
const GAPS = { ratioMin: 0.9, startMsMax: 2_000, youngMsMax: 100, oldMsMax: 1_000 } as const;

const atLeast = (name: string, found: number, min: number, unit: string): Floor => ({
  ...{ name, found, unit, wanted: `at least ${min}` },
  held: found >= min,
});
const atMost = (name: string, found: number, max: number, unit: string): Floor => ({
  ...{ name, found, unit, wanted: `at most ${max}` },
  held: found <= max,
});

/** Figures that were not measured have no floor. */
export function judge({ rounds, idle }: Measured): Floor[] {
  const floors: Floor[] = [];
  const ratios = (figure: (round: Measured['rounds'][number]) => number | undefined): number[] =>
    rounds.flatMap((round) => {
      const raw = round.raw === null ? null : bestRaw(round.raw).rowsPerSecond;
      const found = figure(round);
      return raw === null || found === undefined ? [] : [found / raw];
    });
  const drain = ratios((round) => round.drains.get(1)?.drain.rowsPerSecond);
  if (drain.length > 0) {
    floors.push(atLeast('outbox drain, 1 sender, to the best raw figure', median(drain), DRAIN_RATIO_MIN, ''));
  }
  const path = ratios((round) => round.path?.rowsPerSecond);
  if (path.length > 0) floors.push(atLeast('whole path to the best raw figure', median(path), PATH_RATIO_MIN, ''));
  const latencies = rounds.flatMap(({ latency }) => (latency === null ? [] : [latency]));
  if (latencies.length > 0) {
    floors.push(atMost('latency p50', median(latencies.map(({ p50Ms }) => p50Ms)), P50_MS_MAX, 'ms'));
    floors.push(atMost('latency p99', median(latencies.map(({ p99Ms }) => p99Ms)), P99_MS_MAX, 'ms'));
  }
  const peaks = rounds.flatMap(({ drains, path: one, latency }) => [
    ...[...drains.values()].flatMap(({ writer, drain: sender }) => [writer.peakMb, sender.peakMb]),
    ...(one === null ? [] : [one.writerPeakMb, one.senderPeakMb]),
    ...(latency === null ? [] : [latency.writerPeakMb, latency.senderPeakMb]),
  ]);
  if (peaks.length > 0) floors.push(atMost('peak RSS of any process in any run', Math.max(...peaks), RSS_MB_MAX, 'MB'));
  floors.push(...judgeGaps(rounds.map(({ gaps }) => gaps)));
  for (const { name, cpu, statementsPerSecond } of idle ?? []) {
    floors.push(atMost(`idle CPU of ${name}, of a core`, cpu, IDLE_CPU_MAX, ''));
    floors.push(atMost(`idle statements of ${name}`, statementsPerSecond, IDLE_STATEMENTS_MAX, '/s'));
  }
  return floors;
}

function judgeGaps(rounds: readonly (readonly GapsResult[])[]): Floor[] {
  const floors: Floor[] = [];
  for (const [index, first] of (rounds[0] ?? []).entries()) {
    const all = rounds.flatMap((round) => round[index] ?? []);
    const name = nameOfGaps(first);
    if (first.missing > 0) {
      floors.push(atLeast(`${name}: rows/s to none`, median(all.map(({ toDense }) => toDense)), GAPS.ratioMin, ''));
      const startMs = median(all.map((each) => each.startMs));
      floors.push(atMost(`${name}: start to first append`, startMs, GAPS.startMsMax, 'ms'));
    }
    const [youngMs, oldMs] = [all.flatMap((each) => each.youngMs), all.flatMap((each) => each.oldMs)];
    if (youngMs.length > 0) floors.push(atMost(`${name}: late row, young`, median(youngMs), GAPS.youngMsMax, 'ms'));
    if (oldMs.length > 0) floors.push(atMost(`${name}: late row, old`, median(oldMs), GAPS.oldMsMax, 'ms'));
    const idle = all.flatMap((each) => each.idleStatementsPerSecond ?? []);
    if (idle.length > 0) {
      floors.push(atMost('idle statements of a writer restarted', median(idle), IDLE_STATEMENTS_MAX, '/s'));
    }
  }
  return floors;
}
