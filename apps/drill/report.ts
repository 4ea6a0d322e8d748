/** The drill's figures as text. */
import { median, type Statistics } from './statistics.ts';

const seconds = (ms: number | null): string => (ms === null ? '-' : (ms / 1_000).toFixed(1));

/** A line for each fault and one for all. */
export function summary(statistics: Statistics, failures: number): string {
  const lines = [...statistics.byFault]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(
      ([name, figures]) =>
        `${name.padEnd(34)} ${String(figures.injected).padStart(4)} injected, ${figures.delivered} rows, recovery ` +
        `${seconds(median(figures.recoveriesMs))} s median, ${seconds(Math.max(0, ...figures.recoveriesMs))} s worst` +
        `${figures.failures > 0 ? `, ${figures.failures} FAILED` : ''}`,
    );
  const { injected, kills, lost, doubled, reordered } = statistics.totals;
  const { rssMb, descriptors, ageMs } = statistics.peak;
  return [
    '',
    ...lines,
    `\n${injected} faults, ${kills} kills, ${statistics.overlaps} times two at once; ${statistics.cleanRounds} of ` +
      `${statistics.rounds} rounds clean, ${statistics.rows} rows in them`,
    `lost ${lost}, doubled ${doubled}, out of order ${reordered}, rounds failed ${failures}`,
    `largest process ${Math.round(rssMb)} MB, most descriptors ${descriptors}, oldest process ${Math.round(ageMs / 1_000)} s`,
  ].join('\n');
}
