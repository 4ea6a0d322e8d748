/** Asks Kafka what an event's topic takes, for `topicCheck` of the outbox library. */
import type { TopicLookup } from '#application-outbox';
import { ENV_PREFIX, loadConfig } from '#config';
import { connectKafka, inspectCluster } from '#kafka-delivery';
import { silentLogger, withDeadline } from '#runtime';
import { kafkaOptions } from '../wiring/open-kafka.ts';

export interface TopicLookupOptions {
  /** The relay's settings about Kafka, with or without their prefix: `{ KAFKA_BOOTSTRAP_SERVERS: .. }`. */
  readonly settings: Readonly<Record<string, string>>;
  /** A business transaction waits for no longer. Default 1,000. */
  readonly timeoutMs?: number;
}

/** Throws CONFIG_INVALID for settings that are none. */
export function createTopicLookup({ settings, timeoutMs = 1_000 }: TopicLookupOptions): TopicLookup {
  const env = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name.startsWith(ENV_PREFIX) ? name : `${ENV_PREFIX}${name}`,
      value,
    ]),
  );
  const { config } = loadConfig({ env, needs: [] });
  const options = kafkaOptions(config, silentLogger);
  return async (topic) => {
    const looking = inspectCluster(connectKafka(options), [topic]);
    const facts = (await withDeadline(looking, timeoutMs, 'looking at a topic')).topics.get(topic);
    if (facts === undefined || (facts.fault !== null && facts.fault.code !== 'KAFKA_TOPIC_MISSING')) {
      throw facts?.fault ?? new Error('the topic was not described');
    }
    const limit = Number(facts.config?.get('max.message.bytes'));
    return { exists: facts.fault === null, recordBytesMax: Number.isSafeInteger(limit) ? limit : null };
  };
}
