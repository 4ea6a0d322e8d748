/** Partition counts and leaders of the topics a session writes to, asked anew when they get old. */
import type { RelayError } from '#runtime';
import type { Brokers } from './brokers.ts';
import { CODE, faultOfCode } from './fault-table.ts';
import { nameTargets } from './fault-targets.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { leaderOf, wantedInSync } from './short-partitions.ts';
import type { TopicDescription } from './wire/cluster-requests.ts';

export interface TopicViews {
  /**
   * Leaders by partition for each of the topics. Rejects, naming the topic, with KAFKA_TOPIC_MISSING, KAFKA_REFUSED or
   * KAFKA_RECORD_REFUSED (no possible topic name) before anything was sent.
   */
  load(topics: ReadonlySet<string>): Promise<ReadonlyMap<string, readonly number[]>>;
  /** Partitions of a topic that is loaded. */
  countOf(topic: string): number | undefined;
  /** After a fault: a topic may be another one now, with other partitions. */
  forget(): void;
}

function faultOf({ topic, code, partitions }: TopicDescription): RelayError | null {
  const place = { step: 'metadata', topic } as const;
  if (code !== CODE.none) return faultOfCode(code, place);
  return partitions.length === 0 ? faultOfCode(CODE.unknownTopic, place) : null;
}

export function createTopicViews(brokers: Brokers, settings: KafkaSettings): TopicViews {
  let leaders = new Map<string, readonly number[]>();
  let loadedAtMs = Number.NEGATIVE_INFINITY;

  async function load(topics: ReadonlySet<string>): Promise<ReadonlyMap<string, readonly number[]>> {
    const now = settings.clock.nowMs();
    if (now - loadedAtMs > settings.metadataMaxAgeMs) {
      // Topics nobody writes to any more are forgotten here, which bounds the map.
      leaders = new Map();
      loadedAtMs = now;
    }
    const wanted = [...topics].filter((topic) => !leaders.has(topic));
    if (wanted.length === 0) return leaders;
    const described = await brokers.describe(wanted);
    const faults: RelayError[] = [];
    const inSync = await wantedInSync(brokers, described.topics);
    for (const description of described.topics) {
      const fault = faultOf(description);
      if (fault) faults.push(fault);
      else leaders.set(description.topic, description.partitions.map((each) => leaderOf(each, inSync.get(description.topic)))); // biome-ignore format: one line
    }
    const [first] = faults;
    if (first === undefined) return leaders;
    // All of a kind are told at once: each would cost a transaction of its own.
    const alike = faults.filter(({ code }) => code === first.code);
    const places = alike.map(({ details }) => ({ topic: String(details.topic), partition: null }));
    throw nameTargets(first, places, () => undefined);
  }

  return {
    load,
    countOf: (topic) => leaders.get(topic)?.length,
    forget: () => {
      loadedAtMs = Number.NEGATIVE_INFINITY;
    },
  };
}
