/**
 * The trace context as text of Java properties, which is what Debezium's outbox extension writes and its event router reads
 * (column `tracingspancontext`). Values of a trace context have no character that properties escape but the backslash.
 */
import type { TraceContext } from './outbox-event.ts';

export function traceToText(trace: TraceContext | null): string | null {
  if (trace === null) return null;
  const escaped = (value: string) => value.replaceAll('\\', '\\\\');
  const state = trace.tracestate === undefined ? '' : `tracestate=${escaped(trace.tracestate)}\n`;
  return `traceparent=${escaped(trace.traceparent)}\n${state}`;
}
