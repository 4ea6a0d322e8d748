/** On a real broker: what belongs to a topic that is made anew, and topics beside it that are: retries, dead letters, outputs, chunks. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type OutgoingMessage, splitMessage } from '#chunking';
import { createGroupTransactions } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import { ChangingTopics, handledAll, numbered, readTopic, testEnvironment, until } from '#testkit';
import { type ConsumedMessage, type ConsumerOptions, createRetriableConsumer } from './index.ts';

const DEADLINE_MS = 40_000;
let topics: ChangingTopics;

before(async () => {
  topics = await ChangingTopics.open();
});

after(() => topics?.close());

const scene = async (more: Partial<ConsumerOptions> = {}, partitions = 1, rule: object = {}) => {
  const made = await topics.scene(partitions);
  const [own] = made.options.topics;
  return { ...made, options: { ...made.options, topics: [{ ...own, ...rule }], ...more } as ConsumerOptions };
};
const text = ({ value }: ConsumedMessage): string => String(value);

type Consumer = ReturnType<typeof createRetriableConsumer>;

async function running(options: ConsumerOptions, work: (consumer: Consumer) => Promise<unknown>): Promise<void> {
  const consumer = createRetriableConsumer(options);
  try {
    await consumer.start();
    await work(consumer);
  } finally {
    await consumer.stop();
  }
}

test('under a partition that waits for a retry in place: the new topic does not wait for it', async () => {
  const failing = (message: ConsumedMessage) => {
    at.seen.push(text(message));
    if (text(message) === 'old-50') throw new Error('not now');
  };
  const at = await scene({ ordering: 'partition', handler: failing }, 1, { delayMs: 600_000 });
  await running(at.options, async () => {
    await topics.send(at.base, numbered(0, 100, 'old'));
    await handledAll(at.seen, ['old-50']);
    await topics.remake(at.base);
    await topics.send(at.base, numbered(0, 60, 'new'));
    await handledAll(at.seen, numbered(0, 60, 'new'));
  });
});

test('the retry topic, with a message in it that is not due: the new one is read, its first records too', async () => {
  const at = await scene({
    handler: (message) => {
      at.seen.push(`${message.topic === at.retry ? 'again ' : ''}${text(message)}`);
      if (message.topic !== at.retry) throw new Error('the first time');
    },
  });
  await running(at.options, async () => {
    await topics.send(at.base, numbered(0, 20, 'a'));
    await handledAll(at.seen, numbered(0, 20, 'again a'));
    await topics.remake(at.retry);
    await topics.send(at.base, numbered(20, 20, 'a'));
    await handledAll(at.seen, numbered(20, 20, 'again a'));
  });
  assert.deepEqual(await readTopic(at.dead), []);
});

test('what handlers produce: exactly once for the new topic, and once for the last records of the old one', async () => {
  const target = await topics.topic();
  const gate = Promise.withResolvers<void>();
  const at = await scene({
    handler: async (message, { produce }) => {
      at.seen.push(text(message));
      if (text(message) === 'old-19') await gate.promise;
      produce({ topic: target, key: message.key, value: message.value });
    },
  });
  const outputs = async () => (await readTopic(target)).map(({ value }) => String(value));
  await running(at.options, async () => {
    await topics.send(at.base, numbered(0, 20, 'old'));
    await handledAll(at.seen, numbered(0, 20, 'old'));
    await topics.remake(at.base);
    await topics.send(at.base, numbered(0, 30, 'new'));
    gate.resolve();
    await until('outputs', async () => (await outputs()).length >= 50, DEADLINE_MS);
  });
  await running(at.options, async () => {
    await topics.send(at.base, ['end']);
    await until('the last output', async () => (await outputs()).includes('end'), DEADLINE_MS);
  });
  assert.deepEqual((await outputs()).sort(), [...numbered(0, 20, 'old'), ...numbered(0, 30, 'new'), 'end'].sort());
});

test('what the last records of a deleted topic leave behind is written, and holds up other topics for seconds only', async () => {
  const gate = Promise.withResolvers<void>();
  const at = await scene({
    handler: async (message) => {
      at.seen.push(text(message));
      if (text(message) !== 'old-0') return;
      await gate.promise;
      throw new TypeError('never');
    },
    nonRetriable: [TypeError],
    commitIntervalMs: 60_000,
    drainTimeoutMs: 30_000,
  });
  const other = await scene();
  const options = { ...at.options, topics: [...at.options.topics, ...other.options.topics] };
  await running(options, async () => {
    await topics.send(at.base, ['old-0']);
    await handledAll(at.seen, ['old-0']);
    await topics.drop(at.base);
    gate.resolve();
    await until('the dead letter', async () => (await readTopic(at.dead)).length === 1, DEADLINE_MS);
    await topics.send(other.base, ['other']);
    await handledAll(at.seen, ['other']);
  });
});

test('chunks: a message of the new topic is joined, though one of the old topic had its id and its offsets', async () => {
  const at = await scene();
  const large = Buffer.alloc(150_000, 'x');
  const chunks = splitMessage({ key: null, value: large, headers: { id: 'same' } }, { recordBytesMax: 60_000 });
  const sendChunks = async (some: readonly OutgoingMessage[]) => {
    const common = { brokers: testEnvironment().kafkaBrokers, clientId: 'test', logger: silentLogger };
    const transactions = createGroupTransactions({ ...common, transactionalId: at.base });
    const records = some.map((each, spread) => ({ ...each, topic: at.base, headers: each.headers as never, spread }));
    await transactions.transact(records, null);
    await transactions.close();
  };
  await running(at.options, async () => {
    await sendChunks(chunks);
    await until('the old message', () => at.seen.length === 1, DEADLINE_MS);
    // Half of another one is held when the topic goes.
    await sendChunks(chunks.slice(0, 1));
    await topics.remake(at.base);
    await topics.send(at.base, ['first']);
    await handledAll(at.seen, ['first']);
    await sendChunks(chunks);
    await until(
      'the new message',
      () => at.seen.filter(({ length }) => length === large.length).length === 2,
      DEADLINE_MS,
    );
  });
  assert.deepEqual(await readTopic(at.dead), []);
});

test('retry and dead-letter topics with fewer partitions than before: what fails next goes there', async () => {
  const [retry, dead] = [await topics.topic(4), await topics.topic(4)];
  const failing = (message: ConsumedMessage) => {
    at.seen.push(text(message));
    throw new Error('never');
  };
  const at = await scene({ handler: failing }, 1, { retryTopic: retry, deadLetterTopic: dead, retries: 1 });
  const letters = () => readTopic(dead);
  const buried = async () => (await letters()).map(({ value }) => String(value));
  await running(at.options, async () => {
    await topics.send(at.base, numbered(0, 20, 'a'));
    await until('the first dead letters', async () => (await buried()).length === 20, DEADLINE_MS);
    await topics.remake(retry, 1);
    await topics.remake(dead, 1);
    await topics.send(at.base, numbered(20, 20, 'a'));
    const all = async () => new Set(await buried()).size === 20;
    await until('the next dead letters', all, DEADLINE_MS / 2);
  });
  const reasons = new Set((await letters()).map(({ headers }) => String(headers.kafka_row_sender_dead_letter_reason)));
  assert.deepEqual([...reasons], ['out-of-attempts'], 'each was tried again by the new retry topic');
});

test('a dead-letter topic that is missing is said, and unhealthy; what waits for it goes there when it is back', async () => {
  const at = await scene({
    handler: (message) => {
      at.seen.push(text(message));
      throw new TypeError('never');
    },
    nonRetriable: [TypeError],
  });
  await running(at.options, async (consumer) => {
    await topics.drop(at.dead);
    await topics.send(at.base, ['bad']);
    await until('bad health', () => !consumer.health().healthy, DEADLINE_MS);
    assert.deepEqual(consumer.health().reasons, [`topic ${at.dead}: does not exist`]);
    await topics.make(at.dead);
    await until('the dead letter', async () => (await readTopic(at.dead)).length === 1, DEADLINE_MS);
    await until('good health', () => consumer.health().healthy, DEADLINE_MS);
  });
});
