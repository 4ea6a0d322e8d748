/** The contract of the Kafka port, on the fake and on a real broker. */
import { after } from 'node:test';
import { silentLogger } from '#runtime';
import {
  FakeKafka,
  failOnLeaks,
  type KafkaWorld,
  kafkaContract,
  readTopic,
  testEnvironment,
  uniqueName,
} from '#testkit';
import { connectKafka, createKafkaPort, createTopicAdmin, type TopicAdmin } from './index.ts';

const topics: string[] = [];
let admin: TopicAdmin | null = null;

after(async () => {
  await admin?.deleteTopics(topics);
  await admin?.close();
});
// After the hook above: hooks run in the order they are given.
failOnLeaks();

const MARKER_PARTITIONS = 64;
const RECORD_BYTES_MAX = 1_000_000;

kafkaContract({
  name: 'fake',
  world: async () => {
    const kafka = new FakeKafka({ markerPartitions: MARKER_PARTITIONS, recordBytesMax: RECORD_BYTES_MAX });
    return {
      markerPartitions: MARKER_PARTITIONS,
      tooLargeBytes: RECORD_BYTES_MAX + 1,
      port: (options) => kafka.port(options),
      createTopic: async (partitions) => {
        const topic = uniqueName('topic');
        kafka.createTopic(topic, partitions);
        return topic;
      },
      committed: async (topic) =>
        kafka.committed(topic).map((record) => ({ ...record, key: record.key?.toString() ?? null })),
    };
  },
});

kafkaContract({
  name: 'real broker',
  world: async (): Promise<KafkaWorld> => {
    const options = {
      brokers: testEnvironment().kafkaBrokers,
      clientId: 'kafka-contract',
      logger: silentLogger,
      prefix: uniqueName('contract'),
      outboxTable: 'outbox',
    };
    admin = createTopicAdmin(connectKafka(options));
    await admin.createMarkerTopic(MARKER_PARTITIONS);
    topics.push(`${options.prefix}.markers`);
    return {
      markerPartitions: MARKER_PARTITIONS,
      tooLargeBytes: 1_100_000,
      port: ({ gate, transactional = true } = {}) =>
        createKafkaPort({ ...options, ...(gate ? { gate } : {}), idempotent: transactional }),
      createTopic: async (partitions) => {
        const topic = uniqueName('contract');
        await admin?.ensureTopic(topic, partitions);
        topics.push(topic);
        return topic;
      },
      // An independent reader: kafkajs's own consumer decodes what our encoder wrote.
      committed: (topic) => readTopic(topic, { stallDeadlineMs: 20_000 }),
    };
  },
});
