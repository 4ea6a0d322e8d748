/** The reader that every check of delivery rests on: it neither stops early nor waits for ever. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Producer } from 'kafkajs';
import { createTestTopic, type TestTopic } from './create-test-topic.ts';
import { highWatermarks } from './high-watermarks.ts';
import { testKafka } from './kafka-client.ts';
import { failOnLeaks } from './leak-check.ts';
import { readTopic } from './read-topic.ts';
import { testEnvironment } from './test-environment.ts';

failOnLeaks();

describe('readTopic', () => {
  let topic: TestTopic;
  let producer: Producer;

  before(async () => {
    topic = await createTestTopic({ partitions: 3 });
    const kafka = testKafka(testEnvironment().kafkaBootstrap);
    producer = kafka.producer({ transactionalId: topic.name, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
  });
  after(async () => {
    await producer.disconnect();
    await topic.drop();
  });

  async function write(value: string, partitions: readonly number[], end: 'commit' | 'abort'): Promise<void> {
    const transaction = await producer.transaction();
    const messages = partitions.map((partition) => ({ partition, key: 'k', value, headers: { id: value } }));
    await transaction.send({ topic: topic.name, messages });
    await transaction[end]();
  }

  test('an empty topic has nothing', async () => {
    assert.deepEqual(await readTopic(topic.name), []);
  });

  test('committed records only, to the end behind markers and aborted records', async () => {
    await write('1', [0, 1], 'commit');
    await write('2', [0], 'abort');
    await write('3', [0], 'commit');
    await write('4', [0, 1], 'abort');
    const records = await readTopic(topic.name);
    const seen = records.map(({ partition, value, headers }) => [partition, String(value), headers.id]);
    assert.deepEqual(seen, [
      [0, '1', '1'],
      [0, '3', '3'],
      [1, '1', '1'],
    ]);
    const written = await highWatermarks(testKafka(testEnvironment().kafkaBootstrap), topic.name);
    assert.equal(written.get(0), 8n, 'four records and four markers');
  });

  test('transactions that were aborted in another order than they began stay unseen', async () => {
    const kafka = testKafka(testEnvironment().kafkaBootstrap);
    const other = kafka.producer({ transactionalId: `${topic.name}.2`, idempotent: true, maxInFlightRequests: 1 });
    await other.connect();
    try {
      const before = (await readTopic(topic.name)).length;
      const first = await producer.transaction();
      await first.send({ topic: topic.name, messages: [{ partition: 0, value: 'first to begin' }] });
      const second = await other.transaction();
      await second.send({ topic: topic.name, messages: [{ partition: 0, value: 'second to begin' }] });
      await second.abort();
      await first.abort();
      await write('5', [0], 'commit');
      const values = (await readTopic(topic.name)).map(({ value }) => String(value));
      assert.equal(values.length, before + 1);
      assert.ok(values.includes('5') && !values.some((value) => value.includes('to begin')), String(values));
    } finally {
      await other.disconnect();
    }
  });

  test('what was committed a moment ago is there, every time', async () => {
    for (let round = 1; round <= 10; round += 1) {
      await write(`round ${round}`, [2], 'commit');
      assert.equal((await readTopic(topic.name)).filter(({ partition }) => partition === 2).length, round);
    }
  });

  test('an open transaction is waited for, and named when it stays open', async () => {
    const transaction = await producer.transaction();
    await transaction.send({ topic: topic.name, messages: [{ partition: 1, value: 'late' }] });
    await assert.rejects(readTopic(topic.name, { stallDeadlineMs: 500 }), /reading stands still at \S+\/1$/);
    const reading = readTopic(topic.name);
    await transaction.commit();
    assert.ok((await reading).some(({ value }) => String(value) === 'late'));
  });
});
