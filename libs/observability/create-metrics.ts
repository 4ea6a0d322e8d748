/** The registry of one process and its typed recorders. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { createFaultMetrics } from './fault-metrics.ts';
import { createInstruments, METRIC_PREFIX } from './instruments.ts';
import { createSenderMetrics, type SenderMetrics } from './sender-metrics.ts';
import { createStallMetrics, type StallMetrics } from './stall-metrics.ts';
import { createWriterMetrics, type WriterMetrics } from './writer-metrics.ts';

export type { SenderMetrics, StallMetrics, WriterMetrics };

/** The event loop's delay is sampled this often; the default of 10 ms alone wakes an idle process a hundred times a second. */
const EVENT_LOOP_SAMPLE_MS = 100;

export interface MetricsRoles {
  readonly writer: boolean;
  readonly sender: boolean;
}

export interface Metrics {
  readonly writer: WriterMetrics;
  readonly sender: SenderMetrics;
  readonly stalls: StallMetrics;
  readonly contentType: string;
  /** The Prometheus text of everything recorded so far. */
  render(): Promise<string>;
}

/** Recorders of a role the process does not have may be called but show nothing. Metrics of the process itself are included. */
export function createMetrics(roles: MetricsRoles = { writer: true, sender: true }): Metrics {
  const shown = new Registry();
  const hidden = new Registry();
  collectDefaultMetrics({
    register: shown,
    prefix: METRIC_PREFIX,
    eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS,
  });
  const instruments = (show: boolean) => createInstruments(show ? shown : hidden);
  const faults = createFaultMetrics(instruments(true), roles);
  return {
    writer: createWriterMetrics(instruments(roles.writer), faults),
    sender: createSenderMetrics(instruments(roles.sender), faults),
    stalls: createStallMetrics(instruments(true), roles),
    contentType: shown.contentType,
    render: () => shown.metrics(),
  };
}
