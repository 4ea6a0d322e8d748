/** Gauges of what waits, from each look at the tables. A look that fails leaves them as they were; the faults show elsewhere. */
import type { Metrics } from '#observability';
import type { RelayLook } from './judge-stalls.ts';

export function showLook({ sender }: Metrics, { backlog, lanes, aside, waiting = [] }: RelayLook): void {
  const bySource = new Map<string, { rows: number; oldestAgeMs: number | null }>();
  for (const lane of backlog) {
    const sum = bySource.get(lane.source) ?? { rows: 0, oldestAgeMs: null };
    const ages = [sum.oldestAgeMs, lane.oldestAgeMs].filter((age) => age !== null);
    const oldestAgeMs = ages.length > 0 ? Math.max(...ages) : null;
    bySource.set(lane.source, { rows: sum.rows + lane.rows, oldestAgeMs });
  }
  for (const [source, { rows, oldestAgeMs }] of bySource) sender.backlog(source, rows, oldestAgeMs);
  sender.aside(aside);
  sender.blockedTargets(waiting.length, Math.max(0, ...waiting.map(({ sinceMs }) => sinceMs)));
  sender.lanesHalted(lanes.filter(({ state }) => state === 'halted').length);
}
