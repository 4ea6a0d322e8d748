/** Topics that a test deletes and makes anew under a consumer, and what the consumer saw and said meanwhile. */
import assert from 'node:assert/strict';
import type { Admin, Producer } from 'kafkajs';
import { type Logger, silentLogger } from '#runtime';
import { createTestTopic } from './create-test-topic.ts';
import { testKafka } from './kafka-client.ts';
import { testEnvironment } from './test-environment.ts';
import { uniqueName } from './unique-name.ts';
import { until } from './until.ts';

const DEADLINE_MS = 40_000;
const SENT_TOGETHER = 100;

interface SceneMessage {
  readonly value: Buffer | null;
}

interface SceneEvent {
  readonly event?: string;
  readonly topic?: string;
}

export interface TopicScene {
  readonly base: string;
  readonly retry: string;
  readonly dead: string;
  /** Values, in the order in which they were handled. */
  readonly seen: string[];
  /** Log lines that carry an event. */
  readonly said: SceneEvent[];
  /** For a consumer of the base topic whose handler notes what it sees. */
  readonly options: {
    readonly brokers: readonly string[];
    readonly groupId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly retryTopic: string;
      readonly deadLetterTopic: string;
      readonly delayMs: number;
    }[];
    readonly logger: Logger;
    readonly handler: (message: SceneMessage) => unknown;
  };
}

/** `<of>-<from>`, `<of>-<from + 1>`, .. */
export const numbered = (from: number, count: number, of: string): string[] =>
  Array.from({ length: count }, (_, i) => `${of}-${from + i}`);

function recording(said: SceneEvent[]): Logger {
  const note = (facts: unknown) => {
    if (typeof facts === 'object' && facts !== null && 'event' in facts) said.push(facts as SceneEvent);
  };
  return Object.assign(Object.create(silentLogger), { info: note, warn: note, error: note }) as Logger;
}

export class ChangingTopics {
  readonly admin: Admin;
  readonly #names: string[] = [];

  private constructor(admin: Admin) {
    this.admin = admin;
  }

  static async open(): Promise<ChangingTopics> {
    const admin = testKafka(testEnvironment().kafkaBootstrap).admin();
    await admin.connect();
    return new ChangingTopics(admin);
  }

  async close(): Promise<void> {
    await this.admin.deleteTopics({ topics: this.#names }).catch(() => undefined);
    await this.admin.disconnect();
  }

  async topic(partitions = 1): Promise<string> {
    const { name } = await createTestTopic({ prefix: 'krs-anew', partitions });
    this.#names.push(name);
    return name;
  }

  async drop(topic: string): Promise<void> {
    await this.admin.deleteTopics({ topics: [topic] });
  }

  async make(topic: string, partitions = 1): Promise<void> {
    await createTestTopic({ name: topic, partitions });
  }

  async remake(topic: string, partitions = 1): Promise<void> {
    await this.drop(topic);
    await this.make(topic, partitions);
  }

  /** In pieces, spread over the partitions, by a producer that knows nothing of an earlier topic of that name. */
  async send(topic: string, values: readonly string[], partitions = 1): Promise<void> {
    const producer: Producer = testKafka(testEnvironment().kafkaBootstrap).producer();
    await producer.connect();
    try {
      for (let at = 0; at < values.length; at += SENT_TOGETHER) {
        const some = values.slice(at, at + SENT_TOGETHER);
        await producer.send({
          topic,
          messages: some.map((value, i) => ({ key: value, value, partition: i % partitions })),
        });
      }
    } finally {
      await producer.disconnect();
    }
  }

  /** What retention does: the log begins at the offset. */
  async forget(topic: string, offset: number): Promise<void> {
    // kafkajs's client knows the leaders of the topics that it has heard of before only.
    const admin = testKafka(testEnvironment().kafkaBootstrap).admin();
    await admin.connect();
    try {
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
    } finally {
      await admin.disconnect();
    }
  }

  /** -1: none. */
  async committed(groupId: string, topic: string, partition = 0): Promise<number> {
    const [found] = await this.admin.fetchOffsets({ groupId, topics: [topic] });
    return Number(found?.partitions.find((each) => each.partition === partition)?.offset ?? -1);
  }

  async scene(partitions = 1): Promise<TopicScene> {
    const [base, retry, dead] = [await this.topic(partitions), await this.topic(), await this.topic()];
    const seen: string[] = [];
    const said: SceneEvent[] = [];
    const options = {
      brokers: testEnvironment().kafkaBrokers,
      groupId: uniqueName('krs-anew'),
      topics: [{ topic: base, retryTopic: retry, deadLetterTopic: dead, delayMs: 500 }],
      logger: recording(said),
      handler: ({ value }: SceneMessage) => void seen.push(String(value)),
    };
    return { base, retry, dead, seen, said, options };
  }
}

/** Waits until all are handled, and says how many were not. */
export async function handledAll(seen: readonly string[], wanted: readonly string[]): Promise<void> {
  const isThere = () => {
    const handled = new Set(seen);
    return wanted.every((each) => handled.has(each));
  };
  await until('all records', isThere, DEADLINE_MS).catch(() => {
    const missed = wanted.filter((each) => !seen.includes(each));
    assert.fail(`${missed.length} of ${wanted.length} were never handled: ${missed.slice(0, 3).join(', ')}`);
  });
}
