/** Runs the parts asked for, round after round, so that what is compared was measured minutes apart at most. */
import type { DeploymentServers } from '#testkit';
import { GAPS_CASES, type GapsResult, measureGaps } from './measure-gaps.ts';
import { type IdleResult, measureIdle } from './measure-idle.ts';
import { type LatencyResult, measureLatency } from './measure-latency.ts';
import { measureRaw, type RawResult } from './measure-raw.ts';
import { measureDrain, measurePath, type PathResult, type Throughput } from './measure-throughput.ts';
import type { BenchOptions, Part } from './options.ts';
import { load } from './process-usage.ts';
import { median } from './statistics.ts';

export interface Round {
  readonly raw: readonly RawResult[] | null;
  /** By the number of senders. */
  readonly drains: ReadonlyMap<number, { readonly writer: Throughput; readonly drain: Throughput }>;
  readonly path: PathResult | null;
  readonly latency: LatencyResult | null;
  /** In the order of the cases; the first has no gaps. */
  readonly gaps: readonly GapsResult[];
  /** Load average before each part, by its name: other work on the machine shows here. */
  readonly loads: ReadonlyMap<string, number>;
}

export interface Measured {
  readonly rounds: readonly Round[];
  readonly idle: readonly IdleResult[] | null;
}

const MORE_SENDERS = [2, 4];
const SECONDS = {
  latency: { full: 30, quick: 10 },
  idleSettle: { full: 15, quick: 8 },
  idle: { full: 30, quick: 10 },
} as const;
const GAPS = { rows: { full: 400_000, quick: 300_000 }, late: { full: 20, quick: 5 } } as const;

export async function runAll(
  servers: DeploymentServers,
  options: BenchOptions,
  say: (line: string) => void,
): Promise<Measured> {
  const seconds = (what: keyof typeof SECONDS): number => SECONDS[what][options.quick ? 'quick' : 'full'];
  const wants = (part: Part): boolean => options.only.includes(part);
  const rounds: Round[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    const loads = new Map<string, number>();
    const step = async <T>(name: string, work: () => Promise<T>, show: (done: T) => string): Promise<T> => {
      loads.set(name, load());
      const done = await work();
      say(`run ${run}, ${name} (load ${loads.get(name)}): ${show(done)}`);
      return done;
    };
    const raw = wants('raw')
      ? await step('raw', () => measureRaw(servers.kafkaBootstrap, options.rows), showRaw)
      : null;
    const drains: [number, { writer: Throughput; drain: Throughput }][] = [];
    for (const senders of [...(wants('drain') ? [1] : []), ...(wants('senders') ? MORE_SENDERS : [])]) {
      const name = `drain by ${senders}`;
      drains.push([senders, await step(name, () => measureDrain(servers, options.rows, senders), showDrain)]);
    }
    const path = wants('path') ? await step('path', () => measurePath(servers, options.rows), showPath) : null;
    const latency = wants('latency')
      ? await step('latency', () => measureLatency(servers, seconds('latency')), showLatency)
      : null;
    const gaps: GapsResult[] = [];
    for (const each of wants('gaps') ? GAPS_CASES : []) {
      const size = options.quick ? 'quick' : 'full';
      const work = () => measureGaps(servers, GAPS.rows[size], each, GAPS.late[size]);
      gaps.push(await step(`gaps, ${nameOfGaps(each)}`, work, showGaps));
    }
    rounds.push({ raw, drains: new Map(drains), path, latency, gaps, loads });
  }
  if (!wants('idle')) return { rounds, idle: null };
  const idle = await measureIdle(servers, seconds('idleSettle'), seconds('idle'));
  for (const each of idle) say(`idle, ${each.name}: ${showIdle(each)}`);
  return { rounds, idle };
}

const round = (value: number): string => Math.round(value).toLocaleString('en');
const us = (value: number): string => `${value.toFixed(1)} µs CPU a row`;

const showRaw = (results: readonly RawResult[]): string =>
  results
    .map(({ name, kind, rowsPerSecond, cpuUsPerRow }) => `${name} ${kind} ${round(rowsPerSecond)}/s ${us(cpuUsPerRow)}`)
    .join('; ');

const showThroughput = ({ rowsPerSecond, cpuUsPerRow, peakMb, rowsPerTransaction }: Throughput): string =>
  `${round(rowsPerSecond)}/s, ${us(cpuUsPerRow)}, ${round(rowsPerTransaction)} rows a transaction, peak ${peakMb} MB`;

const showDrain = ({ writer, drain }: { writer: Throughput; drain: Throughput }): string =>
  `writer alone ${showThroughput(writer)}; drain ${showThroughput(drain)}`;

const showPath = (path: PathResult): string =>
  `${round(path.rowsPerSecond)}/s, writer ${us(path.writerCpuUsPerRow)} peak ${path.writerPeakMb} MB, ` +
  `sender ${us(path.senderCpuUsPerRow)} peak ${path.senderPeakMb} MB; ${path.verified}`;

const showLatency = ({ rows, p50Ms, p99Ms, maxMs, ...used }: LatencyResult): string =>
  `${rows} rows, p50 ${p50Ms.toFixed(1)} p99 ${p99Ms.toFixed(1)} max ${maxMs.toFixed(1)} ms, writer ` +
  `${(used.writerCpu * 100).toFixed(1)} % ${used.writerPeakMb} MB, sender ${(used.senderCpu * 100).toFixed(1)} % ${used.senderPeakMb} MB`;

const showIdle = ({ cpu, statementsPerSecond, rssMb }: IdleResult): string =>
  `${(cpu * 100).toFixed(2)} % of a core, ${statementsPerSecond.toFixed(1)} statements/s, ${rssMb} MB`;

export const nameOfGaps = ({ shape, missing, released }: Pick<GapsResult, 'shape' | 'missing' | 'released'>): string =>
  released === true ? `${shape}, old table` : `${shape}, ${round(missing)} missing`;

const showGaps = (gaps: GapsResult): string =>
  [
    `${round(gaps.rowsPerSecond)}/s, ${gaps.toDense.toFixed(2)} of dense, ${us(gaps.cpuUsPerRow)}, append ${gaps.appendUsPerRow.toFixed(1)} µs a row`,
    `first append after ${round(gaps.startMs)} ms, peak ${gaps.peakMb} MB`,
    ...(gaps.youngMs.length > 0
      ? [`late ${round(median(gaps.youngMs))} ms young, ${round(median(gaps.oldMs))} ms old`]
      : []),
    ...(gaps.idleStatementsPerSecond === null ? [] : [`idle ${gaps.idleStatementsPerSecond.toFixed(1)} statements/s`]),
  ].join('; ');
