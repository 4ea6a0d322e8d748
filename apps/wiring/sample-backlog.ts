/** Gauges of what waits, sampled on a timer: bounded counts, so that looking never becomes the load. */
import type { Pool } from '#database';
import type { Metrics } from '#observability';
import { countAside, createSenderStore, outboxStatistics } from '#outbox-storage';
import { systemClock } from '#runtime';
import type { HaltedLanes } from './halted-lanes.ts';
import type { Service } from './service.ts';

const SAMPLE_INTERVAL_MS = 5_000;

/** Runs until the signal aborts. A sample that fails leaves the gauges as they were; the faults show elsewhere. */
export async function sampleBacklog(
  service: Service,
  pool: Pool,
  metrics: Metrics,
  haltedLanes: HaltedLanes,
  signal: AbortSignal,
): Promise<void> {
  const { config, logger } = service;
  while (!signal.aborted) {
    try {
      const bySource = new Map<string, { rows: number; oldestAgeMs: number | null }>();
      for (const lane of await outboxStatistics(pool, config.tables)) {
        const sum = bySource.get(lane.source) ?? { rows: 0, oldestAgeMs: null };
        const ages = [sum.oldestAgeMs, lane.oldestAgeMs].filter((age) => age !== null);
        bySource.set(lane.source, {
          rows: sum.rows + lane.rows,
          oldestAgeMs: ages.length > 0 ? Math.max(...ages) : null,
        });
      }
      for (const [source, { rows, oldestAgeMs }] of bySource) metrics.sender.backlog(source, rows, oldestAgeMs);
      metrics.sender.aside(await countAside(pool, config.tables));
      const lanes = await haltedLanes.look(() => createSenderStore({ pool, tables: config.tables }).listLanes());
      metrics.sender.lanesHalted(lanes.filter(({ state }) => state === 'halted').length);
    } catch (error) {
      logger.debug({ err: error }, 'backlog was not sampled');
    }
    await systemClock.sleep(SAMPLE_INTERVAL_MS, signal);
  }
}
