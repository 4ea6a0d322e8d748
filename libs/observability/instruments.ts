/** Shorthands that give every instrument our prefix and one registry. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export const METRIC_PREFIX = 'kafka_row_sender_';

export interface Instruments {
  gauge<L extends string = never>(name: string, help: string, labels?: readonly L[]): Gauge<L>;
  counter<L extends string = never>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): Histogram<L>;
}

export function createInstruments(registry: Registry): Instruments {
  const common = (name: string, help: string) => ({ name: METRIC_PREFIX + name, help, registers: [registry] });
  return {
    gauge: (name, help, labels = []) => new Gauge({ ...common(name, help), labelNames: [...labels] }),
    counter: (name, help, labels = []) => new Counter({ ...common(name, help), labelNames: [...labels] }),
    histogram: (name, help, buckets, labels = []) =>
      new Histogram({ ...common(name, help), labelNames: [...labels], buckets: [...buckets] }),
  };
}
