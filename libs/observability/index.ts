/**
 * Rank 1: what a process shows of itself: `/healthz` (is it making progress), `/readyz` (may it be counted on) and
 * `/metrics` (Prometheus). No payload, no address, no secret on any of them; labels come from closed or configured sets.
 */
export {
  createMetrics,
  type Metrics,
  type SenderMetrics,
  type StallMetrics,
  type WriterMetrics,
} from './create-metrics.ts';
export { createProgressHealth, type ProgressHealth, type ProgressHealthOptions } from './create-progress-health.ts';
export { metricsTable } from './document-metrics.ts';
export {
  type HealthAnswer,
  type HttpServerOptions,
  type ReadyAnswer,
  type RunningHttpServer,
  startHttpServer,
} from './start-http-server.ts';
