/** A folder, a topic and a prefix of one test's own, and settings for a relay on an SQLite file in it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createTestTopic,
  readTopic,
  type TestTopicOptions,
  type TopicRecord,
  testEnvironment,
  testKafka,
} from '#testkit';
import { type CliResult, runCli } from './cli-world.ts';

export interface SqliteWorld {
  readonly folder: string;
  readonly file: string;
  readonly topic: string;
  readonly env: Readonly<Record<string, string>>;
  /** The command line with the world's settings. */
  run(args: readonly string[], more?: Readonly<Record<string, string>>): Promise<CliResult>;
  /** Everything in the topic, as a read_committed reader sees it. */
  records(): Promise<readonly TopicRecord[]>;
  close(): Promise<void>;
}

export async function openSqliteWorld(options: TestTopicOptions = {}): Promise<SqliteWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'krs-sqlite-'));
  const topic = await createTestTopic({ prefix: 'krs-sqlite', partitions: 3, ...options });
  const { kafkaBootstrap } = testEnvironment();
  const file = join(folder, 'app.db');
  const env = {
    KAFKA_ROW_SENDER_DB: `sqlite:${file}`,
    KAFKA_ROW_SENDER_SOURCE_TABLE: 'users_outbox',
    KAFKA_ROW_SENDER_SOURCE_MODE: 'consume',
    KAFKA_ROW_SENDER_SOURCE_EVENT_HEADERS: 'eventType:type',
    KAFKA_ROW_SENDER_KAFKA_TOPIC: topic.name,
    KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: kafkaBootstrap,
    KAFKA_ROW_SENDER_KAFKA_TRANSACTIONAL_ID_PREFIX: topic.name,
    KAFKA_ROW_SENDER_LANES: '4',
    KAFKA_ROW_SENDER_OUTBOX_WRITER_BATCH_SIZE: '200',
  };
  return {
    folder,
    file,
    topic: topic.name,
    env,
    run: (args, more = {}) => runCli(args, { ...env, ...more }),
    records: () => readTopic(topic.name),
    async close() {
      await topic.drop();
      const admin = testKafka(kafkaBootstrap).admin();
      await admin.connect();
      try {
        const markers = (await admin.listTopics()).filter((name) => name.startsWith(topic.name));
        if (markers.length > 0) await admin.deleteTopics({ topics: markers });
      } finally {
        await admin.disconnect();
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
