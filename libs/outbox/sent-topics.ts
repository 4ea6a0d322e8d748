/**
 * Which topics the senders of an outbox send to. Rows may name their topics, so that a sender which takes over cannot know by
 * itself where its predecessor has left records open or torn (KAFKA-20734): each topic is written down before it is sent to,
 * and read by whoever fences.
 */
import type { SenderStore, SentTopics } from './ports.ts';
import type { SenderOptions } from './sender-options.ts';

/** A topic is noted for so long, and again when half of that is over. */
const NOTED_MS = 3_600_000;
/**
 * Brokers forget a producer that sent nothing to a partition for a day (producer.id.expiration.ms), and a transactional id
 * after seven (transactional.id.expiration.ms): a topic that nobody has sent to for longer holds nothing to be found.
 */
const LOOKED_AT_MS = 7 * 86_400_000;
/** More are not looked at: what they hold cannot be told then. */
const TOPICS_MAX = 10_000;
/** Kafka's own rule (Topic.validate). */
const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

/**
 * What else a row names is no topic: Kafka refuses the row, and would refuse whoever looks for what such a topic holds. The rule is
 * the row's matter alone, so that no name in one row holds up the others.
 */
export const isTopicName = (topic: string): boolean => TOPIC_NAME.test(topic);

export class TopicNotes {
  readonly #options: Pick<SenderOptions, 'store' | 'clock'>;
  /** Monotonic times until which topics need not be noted again. */
  readonly #notedUntilMs = new Map<string, number>();

  constructor(options: Pick<SenderOptions, 'store' | 'clock'>) {
    this.#options = options;
  }

  /** Call before sending, with each topic once; the database is asked only for topics that are new, or were noted long ago. */
  async note(topics: Iterable<string>): Promise<void> {
    const { store, clock } = this.#options;
    const nowMs = clock.nowMs();
    const isDue = (topic: string) => isTopicName(topic) && (this.#notedUntilMs.get(topic) ?? nowMs) <= nowMs;
    const due = [...topics].filter(isDue).sort();
    if (due.length === 0) return;
    await store.noteTopics(due, NOTED_MS);
    for (const topic of due) this.#notedUntilMs.set(topic, nowMs + NOTED_MS / 2);
  }
}

/** For `open` and `fence`: what any sender has noted by then. */
export const sentTopics =
  (store: SenderStore): SentTopics =>
  async () => {
    const topics = await store.listTopics(LOOKED_AT_MS, TOPICS_MAX + 1);
    return topics.length > TOPICS_MAX ? null : topics.filter(isTopicName);
  };
