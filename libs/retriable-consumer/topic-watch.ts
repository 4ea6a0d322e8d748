/**
 * Topics that are deleted, or made anew, while they are consumed: said in the log, and unhealthy while one is missing. A
 * partition that waits (for a retry, for its handlers) is not fetched, so that its topic has to be asked for by itself.
 */
import type { ConsumedTopics, TopicHooks } from '#kafka-delivery';
import type { ProgressHealth } from '#observability';
import { asRelayError, type Logger, withDeadline } from '#runtime';

type MadeAnew = Parameters<TopicHooks['onMadeAnew']>[0];

const CHECK_DEADLINE_MS = 10_000;
const subjectOf = (topic: string): string => `topic ${topic}`;

export class TopicWatch {
  readonly #logger: Logger;
  readonly #health: ProgressHealth;
  #missing: ReadonlySet<string> = new Set();

  constructor(logger: Logger, health: ProgressHealth) {
    this.#logger = logger;
    this.#health = health;
  }

  madeAnew({ topic, topicId, committed }: MadeAnew): void {
    this.#logger.warn(
      { event: 'topic-made-anew', topic, topicId, committed },
      `topic ${topic} was deleted and made anew: it is read from its beginning`,
    );
  }

  /** Brokers delete a group's offsets with a topic: one made anew while nobody consumed looks like one never consumed. */
  noOffset(topic: string, partition: number, fromBeginning: boolean): void {
    if (fromBeginning) return;
    const text = `the group has no offset for partition ${partition} of topic ${topic}: it begins at the end`;
    this.#logger.info({ event: 'begins-at-end', topic, partition }, text);
  }

  /** Never rejects: brokers that do not answer are told of by everything else. */
  async check(topics: Pick<ConsumedTopics, 'check'>, deadLetterTopics: readonly string[]): Promise<void> {
    try {
      const missing = await withDeadline(topics.check(deadLetterTopics), CHECK_DEADLINE_MS, 'asking for the topics');
      if (missing !== null) this.#note(new Set(missing));
    } catch (thrown) {
      this.#logger.debug({ err: asRelayError(thrown) }, 'the topics could not be looked after');
    }
  }

  #note(missing: ReadonlySet<string>): void {
    for (const topic of missing) {
      if (this.#missing.has(topic)) continue;
      this.#health.stuck(subjectOf(topic), 'does not exist');
      this.#logger.error(
        { event: 'topic-missing', topic },
        `topic ${topic} does not exist: the consumer waits until it is made again`,
      );
    }
    for (const topic of this.#missing) {
      if (missing.has(topic)) continue;
      this.#health.forget(subjectOf(topic));
      this.#logger.info({ event: 'topic-there', topic }, `topic ${topic} is there again`);
    }
    this.#missing = missing;
  }
}
