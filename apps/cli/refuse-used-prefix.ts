/**
 * `init` on a database without our tables: markers that Kafka has under the prefix are then somebody else's, or of tables that
 * are gone. Either way senders would take them for their own; said before anything is made.
 */
import { type Config, ENV_PREFIX } from '#config';
import type { Pool } from '#database';
import { createKafkaPortOn, createTopicAdmin, type KafkaConnection } from '#kafka-delivery';
import { schemaVersion } from '#outbox-storage';
import { RelayError } from '#runtime';

/** Rejects with CONFIG_INVALID. `kafka` is asked for only where the tables are not there yet. */
export async function refuseUsedPrefix(
  config: Config,
  pool: Pool,
  kafka: () => Promise<KafkaConnection>,
): Promise<void> {
  if (config.deliveryMode !== 'exactly-once' || (await schemaVersion(pool, config.tables)) > 0) return;
  const used = await lanesWithMarkers(config, await kafka());
  if (used === 0) return;
  const { transactionalIdPrefix: prefix, markerGroup } = config.kafka;
  throw new RelayError(
    'CONFIG_INVALID',
    `nothing was made: the prefix ${prefix} is in use, Kafka has markers of ${used} lanes in group ${markerGroup}, and this database has no tables yet: another deployment has it, or its tables are gone; set another ${ENV_PREFIX}KAFKA_TRANSACTIONAL_ID_PREFIX`,
  );
}

async function lanesWithMarkers(config: Config, kafka: KafkaConnection): Promise<number> {
  const admin = createTopicAdmin(kafka);
  const port = createKafkaPortOn(kafka);
  try {
    const topic = config.kafka.markerTopic;
    const partitions = (await admin.describeTopics([topic])).get(topic) ?? 0;
    const lanes = Array.from({ length: partitions }, (_, lane) => lane);
    const markers = await port.readMarkers('lane', lanes);
    return [...markers.values()].filter((marker) => marker !== -1).length;
  } finally {
    await port.close();
    await admin.close();
  }
}
