/** A topic of the test file's own. */
import { testKafka } from './kafka-client.ts';
import { testEnvironment } from './test-environment.ts';
import { uniqueName } from './unique-name.ts';

export interface TestTopic {
  readonly name: string;
  drop(): Promise<void>;
}

export interface TestTopicOptions {
  readonly prefix?: string;
  /** The exact name instead of a unique one. */
  readonly name?: string;
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly config?: Readonly<Record<string, string>>;
  readonly bootstrap?: string;
}

/** Creates a topic (one partition unless told) and waits until its leaders are known. */
export async function createTestTopic(options: TestTopicOptions = {}): Promise<TestTopic> {
  const kafka = testKafka(options.bootstrap ?? testEnvironment().kafkaBootstrap);
  const name = options.name ?? uniqueName(options.prefix ?? 'krs');
  const admin = kafka.admin();
  await admin.connect();
  try {
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: name,
          numPartitions: options.partitions ?? 1,
          replicationFactor: options.replicationFactor ?? 1,
          configEntries: Object.entries(options.config ?? {}).map(([key, value]) => ({ name: key, value })),
        },
      ],
    });
  } finally {
    await admin.disconnect();
  }
  return { name, drop: () => deleteTopics(kafka, [name]) };
}

async function deleteTopics(kafka: ReturnType<typeof testKafka>, topics: string[]): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await admin.deleteTopics({ topics });
  } finally {
    await admin.disconnect();
  }
}
