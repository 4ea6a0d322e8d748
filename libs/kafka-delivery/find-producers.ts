/** Asks the leaders of topics' partitions: who writes there, and where do records begin and end? */
import { type RelayError, withDeadline } from '#runtime';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode, faultOfThrown, isUnanswerable } from './fault-table.ts';
import { LATEST, type LogEnd, listOffsets } from './wire/cluster-requests.ts';
import { describeProducers, type PartitionProducers } from './wire/describe-producers.ts';
import type { TopicPartitions } from './wire/transaction-requests.ts';

export interface PartitionPlace {
  readonly topic: string;
  readonly partition: number;
  /** -1: there is none now. */
  readonly leader: number;
}

export const placeName = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `${topic}/${partition}`;

/** Partitions of the topics that exist. Rejects with the fault table's codes, KAFKA_REFUSED where a topic may not be seen. */
export async function findPartitions(brokers: Brokers, topics: Iterable<string>): Promise<PartitionPlace[]> {
  const described = await brokers.describe([...topics]);
  return described.topics.flatMap(({ topic, code, partitions }) => {
    if (code === CODE.unknownTopic) return [];
    if (code !== CODE.none) throw faultOfCode(code, { step: 'read', topic });
    return partitions.map(({ partition, leader }) => ({ topic, partition, leader }));
  });
}

/** By leader and topic, as requests are made; partitions without a leader are left out. */
function byLeader(places: readonly PartitionPlace[]): Map<number, TopicPartitions[]> {
  const found = new Map<number, TopicPartitions[]>();
  for (const [leader, led] of Map.groupBy(places, (place) => place.leader)) {
    if (leader < 0) continue;
    const topics = Map.groupBy(led, ({ topic }) => topic);
    found.set(
      leader,
      [...topics].map(([topic, each]) => ({ topic, partitions: each.map(({ partition }) => partition) })),
    );
  }
  return found;
}

/** A broker that does not answer such a question within this time is away. */
const ASK_MS = 5_000;

export interface FoundProducers {
  readonly found: readonly PartitionProducers[];
  /** Without a leader, or their leader does not answer now. */
  readonly unasked: readonly PartitionPlace[];
}

/**
 * Asks those that can be asked now. Rejects only with what all answers have in common: KAFKA_UNSUPPORTED before Kafka 2.8,
 * KAFKA_REFUSED where we lack a right.
 */
export async function askProducers(
  brokers: Brokers,
  places: readonly PartitionPlace[],
  onUnanswerable: (fault: RelayError) => void = throwIt,
): Promise<FoundProducers> {
  const unasked = places.filter(({ leader }) => leader < 0);
  const found: PartitionProducers[] = [];
  const ask = async ([leader, led]: readonly [number, TopicPartitions[]]) => {
    const theirs = places.filter((place) => place.leader === leader);
    try {
      const asking = brokers.node(leader).then((link) => link.ask(describeProducers(led)));
      for (const each of await withDeadline(asking, ASK_MS, `asking broker ${leader} for its producers`)) {
        const place = theirs.find(({ topic, partition }) => topic === each.topic && partition === each.partition);
        const fault = each.code === CODE.none ? null : faultOfCode(each.code, { step: 'read', ...namesOf(each) });
        if (fault === null) found.push(each);
        else if (isUnanswerable(fault)) onUnanswerable(fault);
        else if (!isAway(fault)) throw fault;
        else if (place !== undefined) unasked.push(place);
      }
    } catch (error) {
      const fault = faultOfThrown(error, { step: 'read' });
      if (!isAway(fault)) throw fault;
      unasked.push(...theirs);
    }
  };
  await Promise.all([...byLeader(places)].map(ask));
  return { found, unasked };
}

/** Later it may answer. Anything else is true of every look. */
export const isAway = ({ code }: RelayError): boolean => code === 'KAFKA_UNREACHABLE' || code === 'KAFKA_TOPIC_MISSING';

const throwIt = (fault: RelayError): never => {
  throw fault;
};

const namesOf = ({ topic, partition }: PartitionProducers) => ({ topic, partition });

/** Rejects with KAFKA_UNSUPPORTED before Kafka 2.8. */
export async function findProducers(
  brokers: Brokers,
  places: readonly PartitionPlace[],
): Promise<PartitionProducers[]> {
  const answers = await Promise.all(
    [...byLeader(places)].map(async ([leader, led]) => (await brokers.node(leader)).ask(describeProducers(led))),
  );
  return answers.flat();
}

/** By `placeName`; a partition that answers with an error makes this reject with the fault table's codes. */
export async function findOffsets(
  brokers: Brokers,
  places: readonly PartitionPlace[],
  when: number = LATEST,
  end: LogEnd = 'stable',
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const [leader, topics] of byLeader(places)) {
    const link = await brokers.node(leader);
    for (const { topic, partitions } of topics) {
      for (const { partition, code, offset } of await link.ask(listOffsets(topic, partitions, when, end))) {
        if (code !== CODE.none) throw faultOfCode(code, { step: 'read', topic, partition });
        found.set(placeName({ topic, partition }), offset);
      }
    }
  }
  return found;
}
