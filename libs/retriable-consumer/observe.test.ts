/** What an operator sees: metrics, health that means progress, and a log without payloads. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Producer } from 'kafkajs';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createTestTopic, readTopic, type TestTopic, testEnvironment, testKafka, uniqueName, until } from '#testkit';
import { createConsumerMetrics, createRetriableConsumer } from './index.ts';

const DEADLINE_MS = 40_000;
const SECRET = 'payload-that-nobody-logs';
const topics: TestTopic[] = [];
let producer: Producer;

before(async () => {
  producer = testKafka(testEnvironment().kafkaBootstrap).producer();
  await producer.connect();
});

after(async () => {
  await producer?.disconnect();
  for (const topic of topics) await topic.drop();
});

async function threeTopics() {
  const made = await Promise.all([1, 2, 3].map(() => createTestTopic({ prefix: 'krs-observe' })));
  topics.push(...made);
  const [topic = '', retryTopic = '', deadLetterTopic = ''] = made.map(({ name }) => name);
  return { topic, retryTopic, deadLetterTopic };
}

async function valuesOf(registry: Registry): Promise<Map<string, number>> {
  const metrics = await registry.getMetricsAsJSON();
  const values = new Map<string, number>();
  for (const { name, values: samples } of metrics) {
    for (const { value, labels, ...rest } of samples) {
      const named = (rest as { metricName?: string }).metricName ?? name;
      const label = [labels.outcome, labels.reason].filter((each) => each !== undefined).join();
      values.set(`${named.replace('kafka_row_sender_consumer_', '')} ${label}`.trim(), value);
    }
  }
  return values;
}

test('metrics: handler time, retries, dead letters, what is held, lag; the log names no payload', async () => {
  const rule = { ...(await threeTopics()), retries: 1, delayMs: 3_000 };
  const registry = new Registry();
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const consumer = createRetriableConsumer({
    brokers: testEnvironment().kafkaBrokers,
    groupId: uniqueName('krs-observe'),
    topics: [rule],
    metrics: createConsumerMetrics(registry),
    logger,
    handler: ({ value }) => {
      if (String(value).startsWith('bad')) throw new Error('no');
    },
  });
  try {
    await consumer.start();
    const messages = ['good', 'bad'].map((value) => ({
      key: SECRET,
      value: `${value} ${SECRET}`,
      headers: { h: SECRET },
    }));
    await producer.send({ topic: rule.topic, messages });
    const value = async (name: string) => (await valuesOf(registry)).get(name);
    await until('the retry to be held', async () => (await value('waiting_partitions')) === 1, DEADLINE_MS);
    await until('the dead letter', async () => (await readTopic(rule.deadLetterTopic)).length === 1, DEADLINE_MS);
    const values = await valuesOf(registry);
    assert.equal(values.get('retries_total'), 1);
    assert.equal(values.get('dead_letters_total out-of-attempts'), 1);
    assert.equal(values.get('handler_seconds_count handled'), 1);
    assert.equal(values.get('handler_seconds_count failed'), 1);
    assert.equal(values.get('lag_records'), 0);
    assert.deepEqual(consumer.health(), { healthy: true, reasons: [] });
  } finally {
    await consumer.stop();
  }
  assert.ok(lines.length > 3);
  assert.equal(lines.filter((line) => line.includes(SECRET)).length, 0);
});

test('health: a handler that does not come back is no progress; then it is again', async () => {
  const rule = await threeTopics();
  const release = Promise.withResolvers<void>();
  const consumer = createRetriableConsumer({
    brokers: testEnvironment().kafkaBrokers,
    groupId: uniqueName('krs-observe'),
    topics: [rule],
    stallMs: 1_500,
    handler: () => release.promise,
  });
  try {
    await consumer.start();
    assert.equal(consumer.health().healthy, true);
    await producer.send({ topic: rule.topic, messages: [{ value: 'x' }] });
    await until('the stall to show', () => !consumer.health().healthy, DEADLINE_MS);
    assert.match(consumer.health().reasons.join(), new RegExp(rule.topic));
    release.resolve();
    await until('health', () => consumer.health().healthy, DEADLINE_MS);
  } finally {
    release.resolve();
    await consumer.stop();
  }
});
