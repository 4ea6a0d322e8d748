/** How many partitions topics have, asked anew when it gets old; what is missing is asked for again soon. */
import type { Brokers } from './brokers.ts';
import { CODE } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';

const MISSING_MAX_AGE_MS = 1_000;

export interface TopicCounts {
  /** Topics that are missing, or may not be seen, are left out. */
  count(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

export function createTopicCounts(brokers: Brokers, { clock, metadataMaxAgeMs }: KafkaSettings): TopicCounts {
  let known = new Map<string, { readonly partitions: number; readonly untilMs: number }>();
  return {
    async count(topics) {
      const nowMs = clock.nowMs();
      // Topics that nobody asks for any more are forgotten, which bounds the map.
      known = new Map([...known].filter(([, { untilMs }]) => untilMs > nowMs));
      const wanted = topics.filter((topic) => !known.has(topic));
      const described = wanted.length === 0 ? [] : (await brokers.describe(wanted)).topics;
      for (const { topic, code, partitions } of described) {
        const count = code === CODE.none ? partitions.length : 0;
        const ageMs = count > 0 ? metadataMaxAgeMs : Math.min(MISSING_MAX_AGE_MS, metadataMaxAgeMs);
        known.set(topic, { partitions: count, untilMs: nowMs + ageMs });
      }
      const counted = topics.map((topic) => [topic, known.get(topic)?.partitions ?? 0] as const);
      return new Map(counted.filter(([, partitions]) => partitions > 0));
    },
  };
}
