/** Sequence numbers of an idempotent producer, by topic and partition: 31 bits that wrap as in the Java client. */
export interface Sequences {
  next(topic: string, partition: number): number;
  advance(topic: string, partition: number, records: number): void;
}

const MASK = 0x7fffffff;

/** `start` is 0 except in the test of the wrap. */
export function createSequences(start = 0): Sequences {
  const byTopic = new Map<string, number[]>();
  return {
    next: (topic, partition) => byTopic.get(topic)?.[partition] ?? start,
    advance: (topic, partition, records) => {
      const numbers = byTopic.get(topic) ?? [];
      byTopic.set(topic, numbers);
      // kafkajs restarts at 0 here, which the broker takes for a gap: the remainder has to be carried.
      numbers[partition] = ((numbers[partition] ?? start) + records) & MASK;
    },
  };
}
