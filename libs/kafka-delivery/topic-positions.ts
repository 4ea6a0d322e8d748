/**
 * Which topic the offsets of a consumer belong to, by id. Everything is learned anew in each round of the group. Asks
 * nobody: see consumed-topics.ts.
 */
import type { KnownTopic } from './ask-kafkajs-broker.ts';
import { readTopicNote } from './topic-note.ts';

/** As the group's coordinator has it. */
export interface Committed {
  /** Negative: none. */
  readonly offset: number;
  readonly metadata: string | null;
}

/**
 * `kept`: the offset is the topic's, as far as can be told. `anew`: it is another topic's, and the topic is read from its
 * beginning. `log-end`: it has no id beside it; `anew` if the log ends before it, `kept` if not. `missing`: the broker that was
 * asked does not know the topic; the partition is not fetched in this round.
 */
export type Placing = 'kept' | 'anew' | 'log-end' | 'missing';

interface Place {
  readonly topicId: string | null;
  /** What the group had committed, where that belongs to another topic. */
  stale: Committed | null;
}

const nameOf = (topic: string, partition: number): string => `${topic}/${partition}`;

export class TopicPositions {
  /** As the brokers said last; missing topics are not in it. */
  #latest = new Map<string, KnownTopic>();
  /** As they were when this round of the group began. */
  #round = new Map<string, KnownTopic>();
  /** As they were when this process first heard of them: whatever came later has new records only. */
  readonly #first = new Map<string, KnownTopic>();
  readonly #places = new Map<string, Place>();

  /** `asked`: those that are not among `found` are missing. */
  learn(asked: readonly string[], found: readonly KnownTopic[]): void {
    for (const topic of asked) this.#latest.delete(topic);
    for (const known of found) {
      this.#latest.set(known.topic, known);
      if (!this.#first.has(known.topic)) this.#first.set(known.topic, known);
    }
  }

  beginRound(): void {
    this.#places.clear();
    this.#round = new Map(this.#latest);
  }

  /** Undefined before the partition's offset has been placed in this round. */
  topicIdOf(topic: string, partition: number): string | null | undefined {
    return this.#places.get(nameOf(topic, partition))?.topicId;
  }

  /** To be followed by `begunAnew` where the answer comes to that. */
  place(topic: string, partition: number, { offset, metadata }: Committed): Placing {
    const latest = this.#latest.get(topic);
    if (latest === undefined) return 'missing';
    const { id } = latest;
    this.#places.set(nameOf(topic, partition), { topicId: id, stale: null });
    if (id === null) return 'kept';
    if (offset < 0) return this.#isNew(topic, partition) ? 'anew' : 'kept';
    const noted = readTopicNote(metadata);
    if (noted !== null) return noted === id ? 'kept' : 'anew';
    return 'log-end';
  }

  /** The partition is not fetched until it is placed again. */
  forget(topic: string, partition: number): void {
    this.#places.delete(nameOf(topic, partition));
  }

  begunAnew(topic: string, partition: number, committed: Committed): void {
    const place = this.#places.get(nameOf(topic, partition));
    if (place !== undefined) place.stale = committed;
  }

  hasBegunAnew(topic: string, partition: number): boolean {
    return (this.#places.get(nameOf(topic, partition))?.stale ?? null) !== null;
  }

  /** Whether a committed offset is of another topic than the one that is read in this round. */
  isStale(topic: string, partition: number, { offset, metadata }: Committed): boolean {
    const { topicId = null, stale = null } = this.#places.get(nameOf(topic, partition)) ?? {};
    const noted = readTopicNote(metadata);
    if (noted !== null && topicId !== null) return noted !== topicId;
    return stale !== null && stale.offset === offset && readTopicNote(stale.metadata) === noted;
  }

  /** Those that are not what they were when the round began: made anew, gone, come back, or with other partitions. */
  changedSince(asked: readonly string[], found: readonly KnownTopic[]): readonly string[] {
    const now = new Map(found.map((known) => [known.topic, known]));
    return asked.filter((topic) => {
      const [before, after] = [this.#round.get(topic), now.get(topic)];
      return before?.id !== after?.id || before?.partitions !== after?.partitions;
    });
  }

  /** True of a partition that came into being while this process consumed a topic of that name. */
  #isNew(topic: string, partition: number): boolean {
    const [first, latest] = [this.#first.get(topic), this.#latest.get(topic)];
    if (first === undefined || latest === undefined) return false;
    // Brokers that gave no id at first say nothing of what has changed since.
    return first.id !== null && (first.id !== latest.id || partition >= first.partitions);
  }
}
