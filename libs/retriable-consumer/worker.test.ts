/** Handlers in worker threads: a processor kept busy costs the group no rebalance, and errors keep their class by name. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Admin, Producer } from 'kafkajs';
import { systemClock } from '#runtime';
import { createTestTopic, readTopic, type TestTopic, testEnvironment, testKafka, uniqueName, until } from '#testkit';
import { type ConsumerOptions, createRetriableConsumer } from './index.ts';

const DEADLINE_MS = 60_000;
/** Longer than the session timeout. */
const BURN_MS = 8_000;
const MODULE = new URL('./burn-handler.child.ts', import.meta.url);
const topics: TestTopic[] = [];
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
  await producer?.disconnect();
  await admin?.disconnect();
  for (const topic of topics) await topic.drop();
});

async function scene(options: Partial<ConsumerOptions> = {}) {
  const made = await Promise.all([2, 1, 1].map((partitions) => createTestTopic({ prefix: 'krs-worker', partitions })));
  topics.push(...made);
  const [base = '', dead = '', target = ''] = made.map(({ name }) => name);
  const groupId = uniqueName('krs-worker');
  const { kafkaBrokers: brokers } = testEnvironment();
  const consumer = createRetriableConsumer({
    brokers,
    groupId,
    topics: [{ topic: base, deadLetterTopic: dead, retries: 0 }],
    ...(options.handler === undefined ? { worker: { module: MODULE, threads: 2 } } : {}),
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 500,
    ...options,
  });
  return { base, dead, target, groupId, consumer };
}

async function membersOf(groupId: string): Promise<string[]> {
  const { groups } = await admin.describeGroups([groupId]);
  return groups[0]?.members.map(({ memberId }) => memberId) ?? [];
}

test('busy for longer than the session timeout, in a thread or waiting: no rebalance', {
  timeout: 2 * DEADLINE_MS,
}, async () => {
  const burning = await scene();
  const waiting = await scene({
    handler: async ({ value, headers }, { produce }) => {
      await systemClock.sleep(BURN_MS);
      produce({ topic: JSON.parse(String(value)).target, value: `waited for ${String(headers.id)}` });
    },
  });
  const scenes = [burning, waiting];
  try {
    await Promise.all(scenes.map(({ consumer }) => consumer.start()));
    const members = await Promise.all(scenes.map(({ groupId }) => membersOf(groupId)));
    for (const { base, target } of scenes) {
      const value = JSON.stringify({ burnMs: BURN_MS, target });
      const messages = [0, 1].map((partition) => ({ partition, value, headers: { id: `${partition}` } }));
      await producer.send({ topic: base, messages });
    }
    for (const { target } of scenes)
      await until('both outputs', async () => (await readTopic(target)).length > 1, DEADLINE_MS);
    assert.deepEqual(await Promise.all(scenes.map(({ groupId }) => membersOf(groupId))), members);
  } finally {
    await Promise.all(scenes.map(({ consumer }) => consumer.stop()));
  }
  const outputs = await Promise.all(scenes.map(({ target }) => readTopic(target)));
  const values = outputs.map((records) => records.map(({ value }) => String(value)).sort());
  assert.deepEqual(values, [
    ['burned for 0', 'burned for 1'],
    ['waited for 0', 'waited for 1'],
  ]);
});

test('an error in a thread keeps name and stack; its class may be non-retriable; a bad module is a failed attempt', async () => {
  class BadNews extends Error {}
  const { base, dead, consumer } = await scene({ nonRetriable: [BadNews] });
  const other = await scene({ worker: { module: MODULE, handler: 'notAFunction' } });
  try {
    await Promise.all([consumer.start(), other.consumer.start()]);
    for (const topic of [base, other.base]) await producer.send({ topic, messages: [{ value: '{}' }] });
    const letters = async () => [...(await readTopic(dead)), ...(await readTopic(other.dead))];
    await until('dead letters', async () => (await letters()).length === 2, DEADLINE_MS);
    const note = (name: string) =>
      letters().then((all) => all.map(({ headers }) => headers[`kafka_row_sender_dead_letter_${name}`]));
    assert.deepEqual(await note('error_class'), ['BadNews', 'TypeError']);
    assert.deepEqual(await note('reason'), ['non-retriable', 'out-of-attempts']);
    assert.match((await note('error_stack'))[0] ?? '', /burn-handler/);
  } finally {
    await Promise.all([consumer.stop(), other.consumer.stop()]);
  }
});

test('neither a handler nor a worker, or both: one clear line', () => {
  const common = { brokers: ['b:1'], groupId: 'g', topics: [{ topic: 't', deadLetterTopic: 'd' }] };
  const both = { ...common, handler: () => {}, worker: { module: MODULE } };
  for (const options of [common, both, { ...common, worker: { module: MODULE, threads: 0 } }]) {
    assert.throws(() => createRetriableConsumer(options), { code: 'CONFIG_INVALID' });
  }
});
