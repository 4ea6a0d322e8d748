/** The drill's figures as text. */
import { median, type Statistics } from './statistics.ts';

export const seconds = (ms: number | null): string => (ms === null ? '-' : (ms / 1_000).toFixed(1));

/** A line for each fault and one for all. */
export function summary(statistics: Statistics): string {
  const { byFault, overlaps, cleanRounds, rounds, rows, peak, failures } = statistics.figures;
  const lines = Object.entries(byFault)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(
      ([name, figures]) =>
        `${name.padEnd(34)} ${String(figures.injected).padStart(4)} injected, ${figures.delivered} rows, recovery ` +
        `${seconds(median(figures.recoveriesMs))} s median, ${seconds(Math.max(0, ...figures.recoveriesMs))} s worst` +
        `${figures.flowsMs.length > 0 ? `, meanwhile ${seconds(Math.max(...figures.flowsMs))} s worst` : ''}` +
        `${figures.failures > 0 ? `, ${figures.failures} FAILED` : ''}`,
    );
  const { injected, kills, lost, doubled, reordered } = statistics.totals;
  const { rssMb, descriptors, ageMs } = peak;
  return [
    '',
    ...lines,
    `\n${injected} faults, ${kills} kills, ${overlaps} times two at once; ${cleanRounds} of ${rounds} rounds clean, ` +
      `${rows} rows in them`,
    `lost ${lost}, doubled ${doubled}, out of order ${reordered}, rounds failed ${failures.length}`,
    `largest process ${Math.round(rssMb)} MB, most descriptors ${descriptors}, oldest process ${Math.round(ageMs / 1_000)} s`,
  ].join('\n');
}
