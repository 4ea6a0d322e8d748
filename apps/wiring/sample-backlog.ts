/** Gauges of what waits, sampled on a timer: bounded counts, so that looking never becomes the load. */
import type { Metrics } from '#observability';
import { systemClock } from '#runtime';
import type { HaltedLanes } from './halted-lanes.ts';
import type { Operator } from './operator.ts';
import type { Service } from './service.ts';

const SAMPLE_INTERVAL_MS = 5_000;

/** Runs until the signal aborts. A sample that fails leaves the gauges as they were; the faults show elsewhere. */
export async function sampleBacklog(
  service: Service,
  operator: Operator,
  metrics: Metrics,
  haltedLanes: HaltedLanes,
  signal: AbortSignal,
): Promise<void> {
  const { logger } = service;
  while (!signal.aborted) {
    try {
      const bySource = new Map<string, { rows: number; oldestAgeMs: number | null }>();
      for (const lane of await operator.outboxStatistics()) {
        const sum = bySource.get(lane.source) ?? { rows: 0, oldestAgeMs: null };
        const ages = [sum.oldestAgeMs, lane.oldestAgeMs].filter((age) => age !== null);
        bySource.set(lane.source, {
          rows: sum.rows + lane.rows,
          oldestAgeMs: ages.length > 0 ? Math.max(...ages) : null,
        });
      }
      for (const [source, { rows, oldestAgeMs }] of bySource) metrics.sender.backlog(source, rows, oldestAgeMs);
      metrics.sender.aside(await operator.countAside());
      const lanes = await haltedLanes.look(() => operator.listLanes());
      metrics.sender.lanesHalted(lanes.filter(({ state }) => state === 'halted').length);
    } catch (error) {
      logger.debug({ err: error }, 'backlog was not sampled');
    }
    await systemClock.sleep(SAMPLE_INTERVAL_MS, signal);
  }
}
