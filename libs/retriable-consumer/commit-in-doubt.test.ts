/** The broker commits, its answer is lost, and the consumer stops before it has asked: nothing is written a second time. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { silentLogger } from '#runtime';
import { ChangingTopics, type FaultProxy, readTopic, startProxy, testEnvironment, until } from '#testkit';
import { type ConsumerOptions, createRetriableConsumer, type RetriableConsumer } from './index.ts';

const DEADLINE_MS = 60_000;
const END_TXN = { apiKey: 26 };
let topics: ChangingTopics;
let proxy: FaultProxy;

before(async () => {
  topics = await ChangingTopics.open();
  const [host = '', port] = testEnvironment().kafkaBootstrap.split(':');
  proxy = await startProxy({ host, port: Number(port) }, { kafka: true });
});
after(async () => {
  await proxy?.stop();
  await topics?.close();
});

/** Calls back at the first transaction that fails. */
function whenFailed(call: () => void) {
  const warn = (_: object, message: string) => {
    if (message === 'a transaction of the consumer failed, tried again') call();
  };
  return Object.assign(Object.create(silentLogger), { warn }) as typeof silentLogger;
}

test('stopped while it is not known whether the last transaction is committed', {
  timeout: 3 * DEADLINE_MS,
}, async () => {
  const { base, options } = await topics.scene(1);
  const target = await topics.topic();
  const values = async () => (await readTopic(target)).map(({ value }) => String(value)).sort();
  const written = (count: number) => until('outputs', async () => (await values()).length >= count, DEADLINE_MS);
  const start = async (more: Partial<ConsumerOptions>): Promise<RetriableConsumer> => {
    const consumer = createRetriableConsumer({
      ...options,
      handler: ({ key, value }, { produce }) => produce({ topic: target, key, value }),
      ...more,
    });
    await consumer.start();
    return consumer;
  };
  const stopping = Promise.withResolvers<void>();
  const logger = whenFailed(() => {
    void first.stop();
    stopping.resolve();
  });
  const first = await start({
    brokers: [`${proxy.host}:${proxy.port}`],
    logger,
    handler: async ({ key, value }, { produce }) => {
      // It runs on while what is before it is written, and is written with it when the consumer drains.
      if (String(value) === 'three') await stopping.promise;
      produce({ topic: target, key, value });
    },
  });
  try {
    await topics.send(base, ['one']);
    await written(1);
    const answerLost = proxy.cutBeforeReply(END_TXN);
    await topics.send(base, ['two', 'three']);
    await answerLost;
    await stopping.promise;
  } finally {
    await first.stop();
  }
  const second = await start({});
  try {
    await topics.send(base, ['four']);
    await written(4);
  } finally {
    await second.stop();
  }
  assert.deepEqual(await values(), ['four', 'one', 'three', 'two']);
});
