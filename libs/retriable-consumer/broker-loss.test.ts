/** The broker killed, paused and started again under a running consumer: nothing is lost, nothing rejected unheard, all goes on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createGroupTransactions } from '#kafka-delivery';
import { silentLogger, systemClock } from '#runtime';
import { createTestTopic, type KafkaServer, readTopic, startKafka, until } from '#testkit';
import { createRetriableConsumer } from './index.ts';

const DEADLINE_MS = 90_000;
const AWAY_MS = 4_000;
let kafka: KafkaServer;
const unheard: unknown[] = [];
const hear = (error: unknown) => void unheard.push(error);

before(async () => {
  kafka = await startKafka();
  process.on('unhandledRejection', hear);
});
after(async () => {
  process.off('unhandledRejection', hear);
  await kafka?.stop();
});

test('killed, then paused, while handlers run', { timeout: 4 * DEADLINE_MS }, async () => {
  const { bootstrap } = kafka;
  const [base, target, retry, dead] = await Promise.all(
    [2, 1, 1, 1].map(async (partitions) => (await createTestTopic({ prefix: 'krs-loss', partitions, bootstrap })).name),
  );
  assert.ok(base && target && retry && dead);
  const brokers = bootstrap.split(',');
  const rule = { topic: base, retryTopic: retry, deadLetterTopic: dead, retries: 3, delayMs: 500 };
  const consumer = createRetriableConsumer({
    brokers,
    groupId: 'loss',
    topics: [rule],
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 300,
    transactionTimeoutMs: 6_000,
    handler: async ({ key, value, attempt }, { produce }) => {
      await systemClock.sleep(20);
      if (Number(value) % 5 === 0 && attempt === 0) throw new Error('the first time');
      produce({ topic: target, key, value });
    },
  });
  let sent = 0;
  const send = async (count: number) => {
    const transactions = createGroupTransactions({
      brokers,
      clientId: 'test',
      logger: silentLogger,
      transactionalId: `t${sent}`,
    });
    const records = Array.from({ length: count }, (_, i) => ({
      topic: base,
      key: Buffer.from(`k${i % 7}`),
      value: Buffer.from(String(sent + i)),
      headers: {},
      spread: i,
    }));
    await transactions.transact(records, null);
    await transactions.close();
    sent += count;
  };
  const outputs = async () => (await readTopic(target, { bootstrap })).map(({ value }) => Number(value));
  const all = (wanted: number) => until('all outputs', async () => (await outputs()).length >= wanted, DEADLINE_MS);
  try {
    await send(60);
    await consumer.start();
    await until('some outputs', async () => (await outputs()).length > 5, DEADLINE_MS);
    await kafka.kill();
    await systemClock.sleep(AWAY_MS);
    await kafka.restart();
    await send(60);
    await all(100);
    kafka.pause();
    await systemClock.sleep(AWAY_MS);
    kafka.resume();
    await send(30);
    await all(sent);
  } finally {
    kafka.resume();
    await consumer.stop();
  }
  assert.deepEqual((await outputs()).sort((a, b) => a - b), [...Array(sent).keys()]); // biome-ignore format: one line
  assert.deepEqual(await readTopic(dead, { bootstrap }), []);
  assert.deepEqual(unheard, []);
});
