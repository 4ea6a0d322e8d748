/** What a consumer counts. By prom-client in the caller's registry, so that it is shown beside the application's own. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface ConsumerMetrics {
  handled(topic: string, outcome: 'handled' | 'failed', seconds: number): void;
  retried(topic: string): void;
  deadLettered(topic: string, reason: string): void;
  overran(topic: string): void;
  /** Records between the last one read and the end of the partition. */
  lag(topic: string, partition: number, records: number): void;
  /** The partition is somebody else's now. */
  released(topic: string, partition: number): void;
  /** Partitions that wait for a due time, and chunks of unfinished messages. */
  held(partitions: number, chunkBytes: number): void;
  /** Whether `health()` says so, and how many partitions stand: records wait in them, or may, and none is read. */
  health(isHealthy: boolean, standing: number): void;
}

const PREFIX = 'kafka_row_sender_consumer_';
const SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300];

/** Throws when the registry has metrics of these names already: one call a registry. */
export function createConsumerMetrics(registry: Registry): ConsumerMetrics {
  const common = { registers: [registry] };
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ ...common, name: `${PREFIX}${name}_total`, help, labelNames: [...labelNames] });
  const seconds = new Histogram({
    ...common,
    name: `${PREFIX}handler_seconds`,
    help: 'Time in the handler',
    labelNames: ['topic', 'outcome'],
    buckets: SECONDS,
  });
  const retries = counter('retries', 'Messages sent to a retry topic, or retried in place', ['topic']);
  const dead = counter('dead_letters', 'Messages sent to the dead letters', ['topic', 'reason']);
  const overruns = counter('overruns', 'Handlers that ran on when their partition had to go', ['topic']);
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ ...common, name: PREFIX + name, help, labelNames });
  const lag = gauge('lag_records', 'Records not read yet', ['topic', 'partition']);
  const waiting = gauge('waiting_partitions', 'Partitions that wait until their next message is due');
  const held = gauge('held_chunk_bytes', 'Chunks of messages that are not whole yet');
  const healthy = gauge('healthy', '1 while health() says so, 0 otherwise, also once the consumer has ended');
  const standing = gauge('standing_partitions', 'Partitions that cannot be read, or that nobody answers for');
  return {
    health: (isHealthy, partitions) => {
      healthy.set(isHealthy ? 1 : 0);
      standing.set(partitions);
    },
    handled: (topic, outcome, time) => seconds.observe({ topic, outcome }, time),
    retried: (topic) => retries.inc({ topic }),
    deadLettered: (topic, reason) => dead.inc({ topic, reason }),
    overran: (topic) => overruns.inc({ topic }),
    lag: (topic, partition, records) => lag.set({ topic, partition: String(partition) }, records),
    released: (topic, partition) => lag.remove({ topic, partition: String(partition) }),
    held: (partitions, chunkBytes) => {
      waiting.set(partitions);
      held.set(chunkBytes);
    },
  };
}
