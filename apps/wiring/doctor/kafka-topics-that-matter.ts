/** Topics whose settings the guarantees hang on: those rows go to, and the two in which Kafka keeps markers and transactions. */
import type { TopicFacts } from '#kafka-delivery';
import type { KafkaFacts } from './facts.ts';
import { type Judgement, unknown } from './finding.ts';
import { OFFSETS_TOPIC, TRANSACTIONS_TOPIC } from './gather-kafka.ts';
import { topicAbout } from './kafka-tools.ts';

export const isInternal = (topic: string): boolean => topic === OFFSETS_TOPIC || topic === TRANSACTIONS_TOPIC;

/** Those that are there, each once. */
export function topicsThatMatter({ cluster, targets }: KafkaFacts): readonly TopicFacts[] {
  return [...new Set([...targets, OFFSETS_TOPIC, TRANSACTIONS_TOPIC])]
    .map((topic) => cluster.topics.get(topic))
    .filter((facts) => facts !== undefined && facts.fault === null) as TopicFacts[];
}

/** The internal topics of a cluster that has not used them yet, or that we may not describe. */
export function unseenInternal({ cluster }: KafkaFacts): readonly Judgement[] {
  return [OFFSETS_TOPIC, TRANSACTIONS_TOPIC].flatMap((topic) => {
    const fault = cluster.topics.get(topic)?.fault ?? null;
    if (fault === null) return [];
    const missing = fault.code === 'KAFKA_TOPIC_MISSING';
    const says = missing ? 'is made with its first use, or not shown to this user' : 'not shown to this user';
    return [unknown(topicAbout(topic), says, 'look at it as an administrator')];
  });
}
