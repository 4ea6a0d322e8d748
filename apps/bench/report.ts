/** The figures as Markdown: docs/benchmarks.md. */
import type { Floor } from './floors.ts';
import { gapsSection } from './gaps-section.ts';
import { fixed, heading, integer, row } from './markdown.ts';
import { bestRaw } from './measure-raw.ts';
import type { Measured, Round } from './run-all.ts';
import { median } from './statistics.ts';

export interface ReportContext {
  readonly command: string;
  readonly date: string;
  readonly machine: readonly string[];
  readonly rows: number;
  readonly runs: number;
}

export function renderReport(measured: Measured, floors: readonly Floor[], context: ReportContext): string {
  const { rounds, idle } = measured;
  const lines = [
    '# Benchmarks',
    '',
    'As `npm run bench -- --write` measured them: every figure is the median of the runs, every ratio the median of the',
    'ratios within one run. Absolute figures drift with the machine; the ratios are what counts.',
    '',
    `- Command: \`${context.command}\`, ${context.date}`,
    ...context.machine.map((line) => `- ${line}`),
    `- ${integer(context.rows)} rows, JSON values of 300 bytes, 1,000 keys, 8 lanes, a topic of 3 partitions; ${context.runs} run(s)`,
    `- Load average before each part: ${loadsOf(rounds)}`,
    '',
    '## Throughput',
    '',
    ...throughputTable(rounds),
    '',
    'Raw is kafkajs itself: `producer.send`, idempotent, the same messages from memory, without our headers (plain) and with',
    'them. The best of its figures is what the ratios are taken to. Drain: the rows are in the outbox, senders are started,',
    'from the first transaction to the end of the last. Whole path: the rows are in the source table, a writer and a sender',
    'run side by side, from the first append to the last delivery; every run was verified: 0 missing, 0 duplicated, 0 out of order.',
    '',
    ...latencySection(rounds),
    ...idleSection(idle),
    ...gapsSection(rounds),
    '## Floors',
    '',
    ...heading('what', 'wanted', 'found', ''),
    ...floors.map(({ name, wanted, found, unit, held }) =>
      row(
        name,
        `${wanted} ${unit}`.trim(),
        `${fixed(found, found < 10 ? 3 : 1)} ${unit}`.trim(),
        held ? 'held' : '**missed**',
      ),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function loadsOf(rounds: readonly Round[]): string {
  const all = rounds.flatMap(({ loads }) => [...loads.values()]);
  return all.length === 0 ? '-' : `${fixed(Math.min(...all), 1)} to ${fixed(Math.max(...all), 1)}`;
}

interface Line {
  readonly name: string;
  readonly rowsPerSecond: number;
  readonly cpu: number;
  readonly peakMb: number;
}

/** What one round contributes to the table; the same names in every round. */
function linesOf({ raw, drains, path }: Round): Line[] {
  const lines: Line[] = [];
  for (const { name, kind, rowsPerSecond, cpuUsPerRow, peakMb } of raw ?? []) {
    lines.push({ name: `raw kafkajs, ${name} rows, ${kind}`, rowsPerSecond, cpu: cpuUsPerRow, peakMb });
  }
  for (const [senders, { writer, drain }] of drains) {
    if (senders === 1) lines.push({ ...writer, name: 'writer alone, source to outbox', cpu: writer.cpuUsPerRow });
    lines.push({ ...drain, name: `outbox drain, ${senders} sender${senders > 1 ? 's' : ''}`, cpu: drain.cpuUsPerRow });
  }
  if (path !== null) {
    lines.push({
      name: 'whole path, 1 writer and 1 sender',
      rowsPerSecond: path.rowsPerSecond,
      cpu: path.writerCpuUsPerRow + path.senderCpuUsPerRow,
      peakMb: Math.max(path.writerPeakMb, path.senderPeakMb),
    });
  }
  return lines;
}

function throughputTable(rounds: readonly Round[]): string[] {
  const all = rounds.map((each) => ({
    best: each.raw === null ? Number.NaN : bestRaw(each.raw).rowsPerSecond,
    lines: linesOf(each),
  }));
  const names = all[0]?.lines.map(({ name }) => name) ?? [];
  return [
    ...heading('', 'rows/s', 'to best raw', 'µs CPU a row', 'peak RSS MB, highest process'),
    ...names.map((name, index) => {
      const lines = all.map(({ lines: each }) => each[index] as Line);
      const ratios = all.map(({ best, lines: each }) => (each[index] as Line).rowsPerSecond / best);
      return row(
        name,
        integer(median(lines.map(({ rowsPerSecond }) => rowsPerSecond))),
        fixed(median(ratios), 2),
        fixed(median(lines.map(({ cpu }) => cpu)), 1),
        integer(Math.max(...lines.map(({ peakMb }) => peakMb))),
      );
    }),
  ];
}

function latencySection(rounds: readonly Round[]): string[] {
  const found = rounds.flatMap(({ latency }) => (latency === null ? [] : [latency]));
  if (found.length === 0) return [];
  const middle = (of: (each: (typeof found)[number]) => number) => median(found.map(of));
  return [
    '## Latency at 500 rows/s',
    '',
    'One row a transaction over 8 connections, from just before the INSERT to a `read_committed` consumer (kafkajs).',
    '',
    ...heading(
      'p50 ms',
      'p99 ms',
      'max ms',
      'writer CPU, % of a core',
      'sender CPU',
      'writer peak MB',
      'sender peak MB',
    ),
    row(
      fixed(
        middle(({ p50Ms }) => p50Ms),
        1,
      ),
      fixed(
        middle(({ p99Ms }) => p99Ms),
        1,
      ),
      fixed(
        middle(({ maxMs }) => maxMs),
        1,
      ),
      fixed(
        middle(({ writerCpu }) => writerCpu * 100),
        0,
      ),
      fixed(
        middle(({ senderCpu }) => senderCpu * 100),
        0,
      ),
      integer(Math.max(...found.map(({ writerPeakMb }) => writerPeakMb))),
      integer(Math.max(...found.map(({ senderPeakMb }) => senderPeakMb))),
    ),
    '',
  ];
}

function idleSection(idle: Measured['idle']): string[] {
  if (idle === null) return [];
  return [
    '## Idle',
    '',
    'Two writers and two senders with Redis and nothing to do; statements are counted on the wire.',
    '',
    ...heading('process', '% of a core', 'statements/s', 'RSS MB'),
    ...idle.map(({ name, cpu, statementsPerSecond, rssMb }) =>
      row(name, fixed(cpu * 100, 2), fixed(statementsPerSecond, 1), integer(rssMb)),
    ),
    '',
  ];
}
