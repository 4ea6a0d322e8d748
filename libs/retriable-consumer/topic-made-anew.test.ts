/** On a real broker: topics deleted and made anew under a consumer. Every record of the new topic is handled, whatever the old one had. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Admin, Producer } from 'kafkajs';
import { splitMessage } from '#chunking';
import type { Logger } from '#runtime';
import { silentLogger } from '#runtime';
import { createTestTopic, readTopic, testEnvironment, testKafka, uniqueName, until } from '#testkit';
import { type ConsumedMessage, type ConsumerOptions, createRetriableConsumer } from './index.ts';

const DEADLINE_MS = 40_000;
const topics: string[] = [];
let producer: Producer;
let admin: Admin;

before(async () => {
  const kafka = testKafka(testEnvironment().kafkaBootstrap);
  producer = kafka.producer();
  admin = kafka.admin();
  await producer.connect();
  await admin.connect();
});

after(async () => {
  await admin?.deleteTopics({ topics }).catch(() => undefined);
  await producer?.disconnect();
  await admin?.disconnect();
});

async function topic(partitions = 1): Promise<string> {
  const { name } = await createTestTopic({ prefix: 'krs-anew', partitions });
  topics.push(name);
  return name;
}

const drop = (name: string) => admin.deleteTopics({ topics: [name] });
const make = async (name: string, partitions = 1) => void (await createTestTopic({ name, partitions }));

async function remake(name: string, partitions = 1): Promise<void> {
  await drop(name);
  await make(name, partitions);
}

const values = (from: number, count: number, of: string): string[] =>
  Array.from({ length: count }, (_, i) => `${of}-${from + i}`);

/** In pieces, as applications send. The producer is a new one: kafkajs's own remembers the old topic's partitions. */
async function send(name: string, records: readonly string[], partitions = 1): Promise<void> {
  const fresh = testKafka(testEnvironment().kafkaBootstrap).producer();
  await fresh.connect();
  try {
    for (let at = 0; at < records.length; at += 100) {
      const messages = records.slice(at, at + 100).map((value, i) => ({ key: value, value, partition: i % partitions }));
      await fresh.send({ topic: name, messages });
    }
  } finally {
    await fresh.disconnect();
  }
}

interface Scene {
  readonly base: string;
  readonly retry: string;
  readonly dead: string;
  readonly seen: string[];
  readonly said: { readonly event?: string; readonly topic?: string }[];
  readonly options: ConsumerOptions;
}

/** `said`: what the consumer logs about its topics. */
function recording(said: Scene['said']): Logger {
  const note = (facts: unknown) => {
    if (typeof facts === 'object' && facts !== null && 'event' in facts) said.push(facts as Scene['said'][number]);
  };
  return Object.assign(Object.create(silentLogger), { info: note, warn: note, error: note }) as Logger;
}

async function scene(more: Partial<ConsumerOptions> = {}, partitions = 1, rule: object = {}): Promise<Scene> {
  const [base, retry, dead] = [await topic(partitions), await topic(), await topic()];
  const seen: string[] = [];
  const said: Scene['said'] = [];
  const options: ConsumerOptions = {
    brokers: testEnvironment().kafkaBrokers,
    groupId: uniqueName('krs-anew'),
    topics: [{ topic: base, retryTopic: retry, deadLetterTopic: dead, delayMs: 500, ...rule }],
    logger: recording(said),
    handler: (message) => void seen.push(text(message)),
    ...more,
  } as ConsumerOptions;
  return { base, retry, dead, seen, said, options };
}

const text = ({ value }: ConsumedMessage): string => String(value);
const handled = (seen: readonly string[], wanted: readonly string[]) =>
  until('all records of the new topic', () => wanted.every((each) => seen.includes(each)), DEADLINE_MS).catch(() => {
    const missed = wanted.filter((each) => !seen.includes(each));
    assert.fail(`${missed.length} of ${wanted.length} were never handled: ${missed.slice(0, 3).join(', ')}..`);
  });
const anewOf = ({ said, base }: Scene) => said.filter(({ event, topic: of }) => event === 'topic-made-anew' && of === base);

async function running(options: ConsumerOptions, work: (consumer: ReturnType<typeof createRetriableConsumer>) => Promise<void>) {
  const consumer = createRetriableConsumer(options);
  try {
    await consumer.start();
    await work(consumer);
  } finally {
    await consumer.stop();
  }
}

test('between two polls: no record of the new topic is passed over, and it is said once', async () => {
  const at = await scene();
  const [old, fresh] = [values(0, 100, 'old'), values(0, 110, 'new')];
  await running(at.options, async () => {
    await send(at.base, old);
    await handled(at.seen, old);
    await remake(at.base);
    await send(at.base, fresh);
    await handled(at.seen, fresh);
  });
  assert.equal(anewOf(at).length, 1);
});

test('as many records as before: the old position is the end of the new topic', async () => {
  const at = await scene();
  const [old, fresh] = [values(0, 100, 'old'), values(0, 100, 'new')];
  await running(at.options, async () => {
    await send(at.base, old);
    await handled(at.seen, old);
    await remake(at.base);
    await send(at.base, fresh);
    await handled(at.seen, fresh);
  });
});
