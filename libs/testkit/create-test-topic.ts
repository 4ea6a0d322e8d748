/** A topic of the test file's own. */
import type { Admin } from 'kafkajs';
import { testKafka } from './kafka-client.ts';
import { testEnvironment } from './test-environment.ts';
import { uniqueName } from './unique-name.ts';
import { until } from './until.ts';

const LEADERS_DEADLINE_MS = 20_000;

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

/** Creates a topic (one partition unless told) and waits until its leaders are known, and know it themselves. */
export async function createTestTopic(options: TestTopicOptions = {}): Promise<TestTopic> {
  const kafka = testKafka(options.bootstrap ?? testEnvironment().kafkaBootstrap);
  const name = options.name ?? uniqueName(options.prefix ?? 'krs');
  const admin = kafka.admin();
  await admin.connect();
  try {
    await admin.createTopics({
      // kafkajs's own wait gives up when the broker answers before it has heard of the topic.
      waitForLeaders: false,
      topics: [
        {
          topic: name,
          numPartitions: options.partitions ?? 1,
          replicationFactor: options.replicationFactor ?? 1,
          configEntries: Object.entries(options.config ?? {}).map(([key, value]) => ({ name: key, value })),
        },
      ],
    });
    await until(`leaders of ${name}`, () => hasLeaders(admin, name, options.partitions ?? 1), LEADERS_DEADLINE_MS);
  } finally {
    await admin.disconnect();
  }
  return { name, drop: () => deleteTopics(kafka, [name]) };
}

const NOT_YET: readonly (string | undefined)[] = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
];

async function hasLeaders(admin: Admin, topic: string, count: number): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    if (partitions.length !== count || partitions.some(({ leader }) => leader < 0)) return false;
    // A broker may be named as the leader a moment before it has heard of that.
    await admin.fetchTopicOffsets(topic);
    return true;
  } catch (error) {
    const { type } = error as { type?: string };
    if (NOT_YET.includes(type)) return false;
    throw error;
  }
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
