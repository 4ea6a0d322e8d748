/** docs/faults.md: a line for each kind of fault, what failed if anything did, and how to run it again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FAULTS } from './faults/index.ts';
import { seconds } from './report.ts';
import { type FailureRecord, type FaultFigures, type Figures, median, totalsOf } from './statistics.ts';

const PATH = join(fileURLToPath(new URL('../..', import.meta.url)), 'docs', 'faults.md');

const number = (value: number): string => value.toLocaleString('en');
const row = (...cells: readonly (string | number)[]): string =>
  `| ${cells.map((cell) => (typeof cell === 'number' ? number(cell) : cell.replaceAll('|', '\\|'))).join(' | ')} |`;
const heading = (...cells: readonly string[]): string[] => [row(...cells), row(...cells.map(() => '---'))];

/** Returns the file's path. */
export function writeReport(figures: Figures, machine: readonly string[]): string {
  writeFileSync(PATH, renderReport(figures, machine));
  return PATH;
}

export function renderReport(figures: Figures, machine: readonly string[]): string {
  const injected = FAULTS.filter(({ name }) => (figures.byFault[name]?.injected ?? 0) > 0);
  const left = FAULTS.filter((fault) => !injected.includes(fault));
  const lines = [
    '# Faults',
    '',
    'What the relay went through, as `npm run drill -- --write` counted it. Two writers and four senders run under a load of',
    'concurrent transactions with rollbacks, late commits, bulk inserts and statements that own ids without rows (replaced',
    'rows, upserts that wait, inserts undone to a savepoint); a',
    '`read_committed` reader runs through all of it.',
    'After each fault: every row committed before its end and up to half a second after it has arrived, none twice, none',
    'before its elder of the same key, none that was rolled back; every process is ready and healthy, none ended by itself',
    'that should not have, no lane is halted, what was delivered is deleted from the outbox, nothing is left aside, memory and descriptors are',
    'within bounds. After each round, which is a fresh deployment: the topic is read once more from its beginning and',
    'compared with what was committed, `verify` says 0 missing, 0 duplicated, 0 out of order, the outbox is empty, every',
    'process ends with 0 on SIGTERM, and no log holds a secret or anything of a row.',
    '',
    ...totals(figures, injected.length),
    '',
    ...figures.runs.map(({ command, commit }) => `- Command: \`${command}\`, commit ${commit}`),
    ...machine.map((line) => `- ${line}`),
    '',
    '## By fault',
    '',
    'Recovery is the time from the end of the fault (the server is back, the connection flows, the last process was killed)',
    'until every row committed until then, and in the half second after, was read. Meanwhile, where a figure is given, is the',
    'longest wait for rows that the fault does not concern, while it lasted: rows of other topics, or all rows where the relay',
    'promises to go on without what is away. Times in seconds.',
    '',
    ...heading('fault', 'injected', 'kills', 'rows', 'lost', 'doubled', 'reordered', 'median', 'worst', 'meanwhile'),
    ...injected.map(({ name }) => faultRow(name, figures.byFault[name] as FaultFigures)),
    '',
    ...failures(figures.failures),
    '## What they are',
    '',
    ...heading('fault', 'what is done', 'what is expected, beside each row once and in order'),
    ...injected.map(({ name, what, expected }) => row(`\`${name}\``, what, expected)),
    ...(left.length === 0
      ? []
      : ['', `Not injected in these runs: ${left.map(({ name }) => `\`${name}\``).join(', ')}.`]),
  ];
  return `${lines.join('\n')}\n`;
}

function totals(figures: Figures, kinds: number): string[] {
  const { injected, kills, lost, doubled, reordered } = totalsOf(figures);
  const { rounds, cleanRounds, rows, overlaps, peak } = figures;
  return [
    `**${number(injected)} faults of ${kinds} kinds, ${number(kills)} SIGKILLs of writers and senders, ${number(rows)} rows ` +
      `committed and checked: ${lost} lost, ${doubled} doubled, ${reordered} out of order; ${cleanRounds} of ${rounds} rounds clean.**`,
    '',
    `${overlaps} times two faults were in force at once; their kinds are counted each, without a time to recover. The largest`,
    `process had ${Math.round(peak.rssMb)} MB of memory, the one with most had ${peak.descriptors} descriptors open, the oldest lived ${Math.round(peak.ageMs / 1_000)} s.`,
  ];
}

const worst = (times: readonly number[]): string => (times.length === 0 ? '-' : seconds(Math.max(...times)));

const faultRow = (name: string, figures: FaultFigures): string => {
  const { injected, kills, delivered, lost, doubled, reordered, recoveriesMs, flowsMs } = figures;
  const counts = [injected, kills, delivered, lost, doubled, reordered];
  return row(`\`${name}\``, ...counts, seconds(median(recoveriesMs)), worst(recoveriesMs), worst(flowsMs));
};

function failures(failed: readonly FailureRecord[]): string[] {
  if (failed.length === 0) return [];
  return [
    '## What failed',
    '',
    'A round ends with its first finding. These are not explained away:',
    '',
    ...heading('during', 'what', 'again'),
    ...failed.map(({ during, why, rerun }) => row(during, why, `\`${rerun}\``)),
    '',
  ];
}
