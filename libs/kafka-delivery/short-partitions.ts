/**
 * Partitions with fewer in-sync replicas than their topics want. A record for one is refused, and worse: the transaction that it was
 * added to cannot be ended before the replicas are back, and holds its producer up for so long. So nothing is sent to one.
 */
import type { Brokers } from './brokers.ts';
import { faultOfThrown } from './fault-table.ts';
import type { TopicDescription } from './wire/cluster-requests.ts';
import { describeConfigs } from './wire/inspect-requests.ts';

const WANTED = 'min.insync.replicas';
/** NOT_ENOUGH_REPLICAS, as a leader that is none: there is nobody to send to. */
export const SHORT_OF_REPLICAS = -19;

type Partition = TopicDescription['partitions'][number];

const lacks = ({ leader, replicas = 0, inSync = 0 }: Partition): boolean => leader >= 0 && inSync < replicas;

/**
 * How many in-sync replicas topics want, of those that lack some. Where we may not ask, a single one that is left counts as too few:
 * two is what is recommended, and a wrong guess costs time only until the replicas are back.
 */
export async function wantedInSync(
  brokers: Brokers,
  described: readonly TopicDescription[],
): Promise<ReadonlyMap<string, number>> {
  const short = described.filter(({ partitions }) => partitions.some(lacks)).map(({ topic }) => topic);
  if (short.length === 0) return new Map();
  const link = await brokers.any();
  const asking = link.ask(describeConfigs(short.map((name) => ({ kind: 'topic', name }) as const), [WANTED])); // biome-ignore format: one line
  const found = await asking.catch((error) => {
    const fault = faultOfThrown(error, { step: 'metadata' });
    if (fault.code !== 'KAFKA_UNSUPPORTED') throw fault;
    return [];
  });
  const values = new Map(found.filter(({ code }) => code === 0).map(({ name, values }) => [name, Number(values.get(WANTED))])); // biome-ignore format: one line
  return new Map(short.map((topic) => [topic, values.get(topic) || 2]));
}

/** The leader to send to, -1 where there is none, `SHORT_OF_REPLICAS` where it would refuse. */
export function leaderOf(partition: Partition, wanted: number | undefined): number {
  if (wanted === undefined || !lacks(partition)) return partition.leader;
  return (partition.inSync ?? 0) < Math.min(wanted, partition.replicas ?? wanted)
    ? SHORT_OF_REPLICAS
    : partition.leader;
}
