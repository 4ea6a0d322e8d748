/** Names of the topics that exist. Not by kafkajs's admin client, which fails when any topic of the cluster has no leader. */
import { connectKafka, createTopicAdmin } from '#kafka-delivery';
import { asRelayError, backoffMs } from '#runtime';
import type { ConsumerSettings } from './consumer-options.ts';

const ATTEMPTS_MAX = 8;
const BACKOFF = { baseMs: 100, maxMs: 2_000 };

/** Rejects with KAFKA_UNREACHABLE after a few attempts, and with KAFKA_REFUSED at once. */
export async function listTopics(settings: ConsumerSettings): Promise<ReadonlySet<string>> {
  const { brokers, clientId, logger, clock, random, ssl, sasl } = settings;
  const security = { ...(ssl === undefined ? {} : { ssl }), ...(sasl === undefined ? {} : { sasl }) };
  const connection = connectKafka({ brokers, clientId, logger, prefix: '', outboxTable: '', ...security });
  for (let attempt = 1; ; attempt += 1) {
    const admin = createTopicAdmin(connection);
    try {
      return new Set(await admin.listTopics(''));
    } catch (thrown) {
      const error = asRelayError(thrown);
      if (error.code !== 'KAFKA_UNREACHABLE' || attempt >= ATTEMPTS_MAX) throw error;
      logger.debug({ err: error, attempt }, 'the topics could not be listed, tried again');
      await clock.sleep(backoffMs(attempt, BACKOFF, random));
    } finally {
      await admin.close();
    }
  }
}
