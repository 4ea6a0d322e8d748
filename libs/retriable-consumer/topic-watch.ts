/**
 * Topics that are deleted, or made anew, while they are consumed: said in the log, and unhealthy while one is missing. A
 * partition that waits (for a retry, for its handlers) is not fetched, so that its topic has to be asked for by itself.
 */
import type { ConsumedTopics, TopicHooks, TopicTrouble } from '#kafka-delivery';
import type { ProgressHealth } from '#observability';
import { asRelayError, type Logger, withDeadline } from '#runtime';

type MadeAnew = Parameters<TopicHooks['onMadeAnew']>[0];

const CHECK_DEADLINE_MS = 10_000;
/** Checks come every second. */
const LEADERLESS_SIGHTINGS = 10;

function textOf({ kind, leaderless }: TopicTrouble): string {
  if (kind === 'missing') return 'does not exist';
  if (kind === 'refused') return 'may not be described: a right is missing';
  return `has no leader for partition ${leaderless.slice(0, 20).join(', ')}`;
}

const subjectOf = (topic: string): string => `topic ${topic}`;

export class TopicWatch {
  readonly #logger: Logger;
  readonly #health: ProgressHealth;
  #said: ReadonlyMap<string, string> = new Map();
  /** How often in a row something was wrong with a topic. */
  #sightings: ReadonlyMap<string, number> = new Map();

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
      const troubles = await withDeadline(topics.check(deadLetterTopics), CHECK_DEADLINE_MS, 'asking for the topics');
      if (troubles !== null) this.#note(troubles);
    } catch (thrown) {
      this.#logger.debug({ err: asRelayError(thrown) }, 'the topics could not be looked after');
    }
  }

  #note(found: ReadonlyMap<string, TopicTrouble>): void {
    const said = new Map<string, string>();
    const sightings = new Map<string, number>();
    for (const [topic, trouble] of found) {
      const seen = (this.#sightings.get(topic) ?? 0) + 1;
      sightings.set(topic, seen);
      // A leader is elected within a moment.
      if (trouble.kind === 'leaderless' && seen < LEADERLESS_SIGHTINGS) continue;
      const why = textOf(trouble);
      said.set(topic, why);
      if (this.#said.get(topic) === why) continue;
      this.#health.stuck(subjectOf(topic), why);
      const event = trouble.kind === 'missing' ? 'topic-missing' : 'topic-stands';
      this.#logger.error(
        { event, topic, why: trouble.kind },
        `topic ${topic} ${why}: the consumer waits until that is mended`,
      );
    }
    for (const topic of this.#said.keys()) {
      if (said.has(topic)) continue;
      this.#health.forget(subjectOf(topic));
      this.#logger.info({ event: 'topic-there', topic }, `topic ${topic} is there again`);
    }
    this.#said = said;
    this.#sightings = sightings;
  }
}
