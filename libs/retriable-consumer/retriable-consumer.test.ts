/** On a real broker: retries when due and never before, dead letters, order, large messages, stopping. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Producer } from 'kafkajs';
import { splitMessage } from '#chunking';
import { silentLogger } from '#runtime';
import { createTestTopic, readTopic, type TestTopic, testEnvironment, testKafka, uniqueName, until } from '#testkit';
import { settingsFrom } from './consumer-options.ts';
import { type ConsumedMessage, type ConsumerOptions, createRetriableConsumer } from './index.ts';

const DEADLINE_MS = 40_000;
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

async function topic(partitions = 1): Promise<string> {
  const made = await createTestTopic({ prefix: 'krs-consumer', partitions });
  topics.push(made);
  return made.name;
}

interface Scene {
  readonly base: string;
  readonly retry: string;
  readonly dead: string;
  readonly options: ConsumerOptions;
}

async function scene(
  options: Partial<ConsumerOptions> & Pick<ConsumerOptions, 'handler'>,
  rule: object = {},
): Promise<Scene> {
  const [base, retry, dead] = [await topic(), await topic(), await topic()];
  const names = { topic: base, retryTopic: retry, deadLetterTopic: dead };
  const common = { brokers: testEnvironment().kafkaBrokers, groupId: uniqueName('krs-consumer'), logger: silentLogger };
  return { base, retry, dead, options: { ...common, topics: [{ ...names, delayMs: 1_500, ...rule }], ...options } };
}

/** Runs a consumer until `done` says so, and stops it. */
async function consume(options: ConsumerOptions, done: () => boolean | Promise<boolean>): Promise<void> {
  const consumer = createRetriableConsumer(options);
  try {
    await consumer.start();
    await until('the consumer`s work', done, DEADLINE_MS);
  } finally {
    await consumer.stop();
  }
}

const text = ({ value }: ConsumedMessage): string => String(value);

test('fails, is retried when due with its headers and key, and ends in the dead letters', async () => {
  const seen: { text: string; attempt: number; atMs: number; message: ConsumedMessage }[] = [];
  const { base, retry, dead, options } = await scene(
    {
      handler: (message) => {
        seen.push({ text: text(message), attempt: message.attempt, atMs: Date.now(), message });
        if (text(message).startsWith('bad')) throw new RangeError('bad message');
        if (text(message) === 'wrong') throw new TypeError('wrong');
        if (text(message) === 'later' && message.attempt < 1) throw new Error('not yet');
      },
      nonRetriable: [TypeError],
    },
    { retries: 2 },
  );
  const values = ['good', 'bad', 'wrong', 'later', 'good too'];
  await producer.send({ topic: base, messages: values.map((value) => ({ key: 'k', value, headers: { id: value } })) });
  await consume(options, async () => seen.length >= 8 && (await readTopic(dead)).length === 2);

  const attempts = (value: string) => seen.filter((each) => each.text === value).map(({ attempt }) => attempt);
  assert.deepEqual(values.map(attempts), [[0], [0, 1, 2], [0], [0, 1], [0]]);
  for (const each of seen.filter(({ attempt }) => attempt > 0)) {
    const before = seen.find(({ text: value, attempt }) => value === each.text && attempt === each.attempt - 1);
    assert.ok(each.atMs - (before?.atMs ?? 0) >= 1_500, `${each.text} ran early`);
  }
  const again = seen.find(({ attempt, text: value }) => attempt === 1 && value === 'later')?.message;
  assert.deepEqual(
    [
      again?.topic,
      String(again?.key),
      String(again?.headers.id),
      Object.keys(again?.headers ?? {}).length,
      again?.origin,
    ],
    [retry, 'k', 'later', 1, { topic: base, partition: 0, offset: 3n }],
  );
  const letters = await readTopic(dead);
  const facts = letters.map(({ headers, value }) => [
    String(value),
    headers.kafka_row_sender_dead_letter_reason,
    headers.kafka_row_sender_dead_letter_error_class,
    headers.kafka_row_sender_dead_letter_attempts,
    headers.kafka_row_sender_origin_offset,
    headers.id,
  ]);
  assert.deepEqual(facts.sort(), [
    ['bad', 'out-of-attempts', 'RangeError', '3', '1', 'bad'],
    ['wrong', 'non-retriable', 'TypeError', '1', '2', 'wrong'],
  ]);
  // Nothing is left: another member of the group sees no message.
  const leftovers: string[] = [];
  const late = { ...options, handler: (message: ConsumedMessage) => void leftovers.push(text(message)) };
  await producer.send({ topic: base, messages: [{ value: 'end' }] });
  await consume(late, () => leftovers.includes('end'));
  assert.deepEqual(leftovers, ['end']);
});

test('key: later messages of a failing key wait with it, other keys go on', async () => {
  const seen: string[] = [];
  const failedOnce = new Set<string>();
  const { base, options } = await scene({
    ordering: 'key',
    handler: (message) => {
      const name = text(message);
      seen.push(name);
      if (name === 'a0' && !failedOnce.has(name)) {
        failedOnce.add(name);
        throw new Error('first time');
      }
    },
  });
  const messages = ['a0', 'b0', 'a1', 'b1', 'a2'].map((value) => ({ key: value[0] ?? '', value }));
  await producer.send({ topic: base, messages });
  await consume(options, () => seen.includes('a2'));
  const ofKey = (key: string) => seen.filter((name) => name.startsWith(key));
  assert.deepEqual(ofKey('a'), ['a0', 'a0', 'a1', 'a2']);
  assert.deepEqual(ofKey('b'), ['b0', 'b1']);
  assert.ok(seen.indexOf('b1') < seen.lastIndexOf('a0'));
});

test('partition: nothing overtakes a failing message; out of attempts it goes and the rest follows', async () => {
  const seen: string[] = [];
  const { base, dead, options } = await scene(
    {
      ordering: 'partition',
      handler: (message) => {
        seen.push(text(message));
        if (text(message) === '1') throw new Error('never');
      },
    },
    { retries: 1, delayMs: 300 },
  );
  await producer.send({ topic: base, messages: ['0', '1', '2', '3'].map((value) => ({ value })) });
  await consume(options, () => seen.includes('3'));
  assert.deepEqual(seen, ['0', '1', '1', '2', '3']);
  assert.equal((await readTopic(dead)).length, 1);
});

test('large messages come whole, go through the retry topic in chunks, and a broken group is buried', async () => {
  const large = Buffer.alloc(2_500_000, 'abc');
  const seen: ConsumedMessage[] = [];
  const { base, retry, dead, options } = await scene({
    chunkWaitMs: 3_000,
    handler: (message) => {
      seen.push(message);
      if (message.attempt === 0 && message.value?.length === large.length) throw new Error('once more');
    },
  });
  const split = (value: Buffer) =>
    splitMessage({ key: null, value, headers: { id: 'large' } }).map((each) => ({
      ...each,
      headers: { ...each.headers },
    }));
  const chunks = split(large) as { key: Buffer; value: Buffer; headers: Record<string, Buffer> }[];
  const broken = split(Buffer.alloc(1_200_000)) as typeof chunks;
  for (const message of [chunks[0], broken[0], chunks[0], chunks[1], chunks[2]]) {
    await producer.send({ topic: base, messages: message ? [message] : [] });
  }
  await producer.send({ topic: base, messages: [{ value: 'small' }] });
  await consume(options, async () => seen.length >= 3 && (await readTopic(dead)).length === 1);
  const whole = seen.filter(({ value }) => value?.equals(large));
  assert.deepEqual(
    whole.map(({ attempt, key, headers }) => [attempt, key, String(headers.id)]),
    [
      [0, null, 'large'],
      [1, null, 'large'],
    ],
  );
  assert.ok((await readTopic(retry)).length >= 3);
  const [letter] = await readTopic(dead);
  assert.equal(letter?.headers.kafka_row_sender_dead_letter_reason, 'waited-too-long');
});

test('stop waits for what runs and commits it; what overruns comes again', async () => {
  const seen: string[] = [];
  const release = Promise.withResolvers<void>();
  const { base, options } = await scene({
    drainTimeoutMs: 1_000,
    handler: async (message, { signal }) => {
      seen.push(text(message));
      if (text(message) === 'short') await release.promise;
      if (text(message) === 'long') {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      }
    },
  });
  await producer.send({ topic: base, messages: ['short', 'long'].map((value) => ({ value })) });
  const consumer = createRetriableConsumer(options);
  await consumer.start();
  await until('both to run', () => seen.length === 2, DEADLINE_MS);
  const stopped = consumer.stop();
  release.resolve();
  await stopped;
  await consumer.stop();
  await consume({ ...options, handler: (message) => void seen.push(`${text(message)} again`) }, () => seen.length > 2);
  assert.deepEqual(seen, ['short', 'long', 'long again']);
});

test('a topic that is not there is a clear error; a retry topic that is not there means dead letters', async () => {
  const { base, dead, options } = await scene({ handler: () => Promise.reject(new Error('no')) });
  const missing = createRetriableConsumer({ ...options, topics: [{ topic: base, deadLetterTopic: 'krs-not-there' }] });
  await assert.rejects(missing.start(), { code: 'KAFKA_TOPIC_MISSING', message: /krs-not-there/ });
  await missing.stop();
  await producer.send({ topic: base, messages: [{ value: 'x' }] });
  const rule = { topic: base, retryTopic: 'krs-not-there', deadLetterTopic: dead };
  assert.equal(settingsFrom({ ...options, topics: [rule] }).topics[0]?.retries, 5);
  await consume({ ...options, topics: [rule] }, async () => (await readTopic(dead)).length === 1);
  const [letter] = await readTopic(dead);
  assert.equal(letter?.headers.kafka_row_sender_dead_letter_reason, 'retry-topic-missing');
});

test('whatever a handler throws becomes a dead letter, and whatever it produces that cannot be written', async () => {
  const boom = () => {
    throw new Error('boom');
  };
  class Getters extends Error {
    override get message(): string {
      return boom() ?? '';
    }
  }
  const thrown: readonly (() => unknown)[] = [
    () => Object.create(null),
    () => new Proxy({}, { get: boom, has: boom, getPrototypeOf: boom }),
    () => new Getters(),
    () => Symbol('s'),
    () => undefined,
    () => 10n,
    () => new Error('x'.repeat(5_000_000)),
  ];
  const produced: readonly object[] = [
    { topic: 'x', value: 'x', headers: { n: 5 } },
    { topic: 'x', value: 'x', partition: -1 },
    { topic: 'x', value: 5 },
    { value: 'x' },
  ];
  const count = thrown.length + produced.length;
  const seen: string[] = [];
  const { base, dead, options } = await scene(
    {
      handler: (message, { produce }) => {
        const n = Number(text(message));
        if (text(message) === 'after') seen.push('after');
        else if (n < thrown.length) throw thrown[n]?.();
        else produce(produced[n - thrown.length] as Parameters<typeof produce>[0]);
      },
      nonRetriable: (error) => (error as Error).message === 'never',
    },
    { retries: 0 },
  );
  const messages = Array.from({ length: count }, (_, n) => ({ value: String(n) }));
  await producer.send({ topic: base, messages: [...messages, { value: 'after' }] });
  await consume(options, async () => seen.length > 0 && (await readTopic(dead)).length >= count);
  const buried = (await readTopic(dead)).map(({ value }) => Number(value));
  assert.deepEqual(
    buried.toSorted((a, b) => a - b),
    [...Array(count).keys()],
  );
});
