/** What a soak has found, as text, and whether it is good. */
import type { PhaseResult } from './phase.ts';

export interface Verdict {
  readonly line: string;
  /** Empty: good. */
  readonly faults: readonly string[];
}

const sum = (phases: readonly PhaseResult[], of: (phase: PhaseResult) => number): number =>
  phases.reduce((total, phase) => total + of(phase), 0);
const thousands = (count: number): string => count.toLocaleString('en-US');

export function judge(phases: readonly PhaseResult[]): Verdict {
  const total = (of: (phase: PhaseResult) => number) => sum(phases, of);
  const counts = {
    lost: total(({ lost }) => lost),
    doubled: total(({ doubled }) => doubled),
    'out of order': total(({ outOfOrder }) => outOfOrder),
    'never committed': total(({ uncommitted }) => uncommitted),
    'outbox ids missing': total(({ holes }) => holes),
    misplaced: total(({ misplaced }) => misplaced),
  };
  const { opened, closed, open } = {
    opened: total(({ gaps }) => gaps.opened),
    closed: total(({ gaps }) => gaps.closed),
    open: total(({ gaps }) => gaps.open),
  };
  const faults = Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
  faults.push(...phases.flatMap(({ findings }) => findings));
  const dangerous = total(({ progress }) => progress.dangerousAndSlow);
  if (dangerous === 0)
    faults.push('no statement owned an id without a row for longer than a second: nothing was shown');
  if (opened === 0) faults.push('no gap was opened: nothing was shown');
  const line =
    `${thousands(total(({ rows }) => rows))} rows: ${counts.lost} lost, ${counts.doubled} doubled, ` +
    `${counts['out of order']} out of order, ${thousands(opened)} gaps opened, ${thousands(closed)} closed, ${open} open`;
  return { line, faults };
}

/** A few lines for a phase. */
export function summary(name: string, phase: PhaseResult): string {
  const { progress, gaps, rows, replaced, low, restarts, writerKills, lostByKind, examples } = phase;
  const kinds = [...progress.byKind].toSorted(([, a], [, b]) => b - a).map(([kind, count]) => `${kind} ${count}`);
  const errors = [...progress.failed].map(([errno, count]) => `${errno}: ${count}`);
  const lost = Object.entries(lostByKind).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${name}: ${thousands(rows)} rows (${thousands(replaced)} of them replaced or deleted by now, ${low} with a low id)`,
    `  statements: ${kinds.join(', ')}`,
    `  ${thousands(progress.dangerous)} that can own ids without rows, ${thousands(progress.dangerousAndSlow)} of them for over ` +
      `a second, the slowest ${(progress.slowestMs / 1_000).toFixed(1)} s; errors ${errors.join(', ') || 'none'}`,
    `  ${progress.commits} commits, ${progress.rollbacks} rollbacks, ${progress.unknown} never decided, ${progress.prepared} XA ` +
      `prepared, ${progress.kills} KILLs, ${progress.holds} locks held, ${progress.longTransactions} long transactions, ` +
      `${restarts} restarts of MariaDB, ${writerKills} writers killed`,
    `  gaps: ${gaps.opened} opened, ${gaps.closed} closed, ${gaps.open} open`,
    ...(lost.length === 0 ? [] : [`  LOST by kind: ${lost.join(', ')}`]),
    ...examples.map((example) => `  ${example}`),
  ].join('\n');
}
