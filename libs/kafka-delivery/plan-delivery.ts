/** Sorts the records of a transaction by leader, topic and partition, the partition picked explicitly for each. */
import { RelayError } from '#runtime';
import { faultOfCode } from './fault-table.ts';
import { nameTargets } from './fault-targets.ts';
import { type Partitioner, pickPartition } from './partitioner.ts';
import { BOUNDLESS, chunksOf, fits, type RecordLimits } from './record-limits.ts';
import { SHORT_OF_REPLICAS } from './short-partitions.ts';
import type { PartitionFlow } from './wire/produce-request.ts';
import type { RecordContent } from './wire/record-batch.ts';
import type { TopicPartitions } from './wire/transaction-requests.ts';

/** A record and where it goes: to `partition`, or to the one of its key; `spread` chooses for a record without a key. */
export interface RoutedRecord extends RecordContent {
  readonly topic: string;
  readonly spread: number;
  readonly partition?: number;
}

export interface DeliveryPlan {
  readonly topics: readonly TopicPartitions[];
  /** Flows of one topic stand together. */
  readonly flowsByLeader: ReadonlyMap<number, readonly PartitionFlow[]>;
}

const LEADER_NOT_AVAILABLE = 5;

export const topicsOf = (records: readonly Pick<RoutedRecord, 'topic'>[]): Set<string> => {
  const topics = new Set<string>();
  for (const { topic } of records) topics.add(topic);
  return topics;
};

const noSuchPartition = (topic: string, partition: number): RelayError =>
  new RelayError('KAFKA_RECORD_REFUSED', `topic ${topic} has no partition ${partition}`, {
    details: { step: 'metadata', type: 'NO_SUCH_PARTITION', topic, partition },
  });

/** Records by topic, then by partition (holes where a partition gets none), in the order given. */
function groupByPartition(
  records: readonly RoutedRecord[],
  leaders: ReadonlyMap<string, readonly number[]>,
  partitioner: Partitioner,
  limits: RecordLimits,
): Map<string, RecordContent[][]> {
  const groups = new Map<string, RecordContent[][]>();
  let lastTopic: string | null = null;
  let group: RecordContent[][] = [];
  let partitions = 1;
  for (const record of records) {
    if (record.topic !== lastTopic) {
      lastTopic = record.topic;
      group = groups.get(lastTopic) ?? [];
      groups.set(lastTopic, group);
      partitions = leaders.get(lastTopic)?.length ?? 1;
    }
    const partition = record.partition ?? pickPartition(partitioner, record.key, record.spread, partitions);
    if (partition >= partitions) throw noSuchPartition(record.topic, partition);
    const list = group[partition];
    const whole = fits(record, limits);
    if (list && whole) list.push(record);
    else if (whole) group[partition] = [record];
    else group[partition] = [...(list ?? []), ...chunksOf(record, limits)];
  }
  return groups;
}

/** Throws KAFKA_UNREACHABLE, naming the partitions, when some have no leader now. */
export function planDelivery(
  records: readonly RoutedRecord[],
  leaders: ReadonlyMap<string, readonly number[]>,
  partitioner: Partitioner,
  limits: RecordLimits = BOUNDLESS,
): DeliveryPlan {
  const topics: TopicPartitions[] = [];
  const flowsByLeader = new Map<number, PartitionFlow[]>();
  const away: { readonly topic: string; readonly partition: number }[] = [];
  for (const [topic, group] of groupByPartition(records, leaders, partitioner, limits)) {
    const partitions: number[] = [];
    group.forEach((list, partition) => {
      const leader = leaders.get(topic)?.[partition] ?? -1;
      if (leader < 0) away.push({ topic, partition });
      partitions.push(partition);
      const flows = flowsByLeader.get(leader) ?? [];
      flows.push({ topic, partition, records: list, next: 0 });
      flowsByLeader.set(leader, flows);
    });
    topics.push({ topic, partitions });
  }
  const [first] = away;
  if (first === undefined) return { topics, flowsByLeader };
  const codeOf = ({ topic, partition }: (typeof away)[number]) =>
    leaders.get(topic)?.[partition] === SHORT_OF_REPLICAS ? -SHORT_OF_REPLICAS : LEADER_NOT_AVAILABLE;
  const fault = faultOfCode(codeOf(first), { step: 'metadata', ...first });
  const alike = away.filter((each) => codeOf(each) === codeOf(first));
  throw nameTargets(fault, alike, (topic) => leaders.get(topic)?.length);
}
