/** On a real broker: the topic that is delivered to is deleted and made anew, between two transactions and under an open one. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RelayError, silentLogger } from '#runtime';
import { ChangingTopics, readTopic, testEnvironment, uniqueName, until } from '#testkit';
import { isUndecided } from './acknowledged.ts';
import { createBatchBounds } from './batch-bounds.ts';
import { connectKafka } from './connect-kafka.ts';
import { createGroupTransactions, type GroupTransactions } from './group-transactions.ts';
import type { RoutedRecord } from './plan-delivery.ts';
import { createRecordTime } from './record-time.ts';
import { openProducer } from './transactional-session.ts';

const DEADLINE_MS = 20_000;
let topics: ChangingTopics;

before(async () => {
  topics = await ChangingTopics.open();
});

after(() => topics?.close());

const common = () => ({ brokers: testEnvironment().kafkaBrokers, clientId: 'test', logger: silentLogger });

const recordsFor = (topic: string, from: number, count: number): RoutedRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    topic,
    key: Buffer.from(`k${(from + i) % 5}`),
    value: Buffer.from(String(from + i)),
    headers: {},
    spread: i,
  }));

/** As a sender does: until it is certainly there. */
async function deliver(transactions: GroupTransactions, records: readonly RoutedRecord[]): Promise<void> {
  const attempt = async () => {
    try {
      await transactions.transact(records, null);
      return true;
    } catch (thrown) {
      // A partition that is not there any more, a log that begins anew: nothing was written.
      const { code, details } = thrown as RelayError;
      assert.ok(
        ['KAFKA_TOPIC_MISSING', 'KAFKA_UNREACHABLE', 'KAFKA_OUTCOME_UNKNOWN'].includes(code),
        `${code} ${details.type}`,
      );
      return false;
    }
  };
  await until('delivery', attempt, DEADLINE_MS);
}

for (const partitions of [3, 1, 6]) {
  test(`made anew between two transactions, ${partitions} partitions instead of 3: what is sent next is there once`, async () => {
    const topic = await topics.topic(3);
    const transactions = createGroupTransactions({ ...common(), transactionalId: uniqueName('anew') });
    try {
      for (let i = 0; i < 5; i += 1) await transactions.transact(recordsFor(topic, i * 10, 10), null);
      await topics.remake(topic, partitions);
      for (let i = 5; i < 10; i += 1) await deliver(transactions, recordsFor(topic, i * 10, 10));
    } finally {
      await transactions.close();
    }
    const found = (await readTopic(topic)).map(({ value }) => Number(value)).sort((a, b) => a - b);
    assert.deepEqual(found, [...Array(50).keys()].map((i) => i + 50)); // biome-ignore format: one line
  });
}

test('an end in a topic that is gone is not waited for in the one that has its name now', async () => {
  const topic = await topics.topic();
  const connection = connectKafka({ ...common(), prefix: uniqueName('anew'), outboxTable: 'o' });
  const { settings } = connection;
  const open = Promise.withResolvers<void>();
  const gate = async (name: string) => {
    if (name === 'before:commit') await open.promise;
  };
  const context = {
    settings: { ...settings, gate },
    bounds: createBatchBounds(settings.partitionBatchBytesMax),
    recordTime: createRecordTime(settings),
    topics: new Set<string>(),
  };
  const opened = [];
  const brokers = connection.brokers();
  const id = uniqueName('anew');
  const ends = [{ topic, partition: 0, end: 1_000 }];
  try {
    // Two producers of the same id, one after the other: the id of the producer stays, its epoch rises.
    for (const what of ['old', 'new']) {
      const producer = await openProducer(id, { ...context, brokers: connection.brokers() }, []);
      opened.push(producer);
      void producer.transact(recordsFor(topic, 0, 5), []).catch(() => undefined);
      const isOpen = () => isUndecided(brokers, producer.identity.producerId, [{ topic, partition: 0, end: 1_000 }]);
      await until(`the ${what} transaction`, isOpen, DEADLINE_MS);
      const answer = await isUndecided(brokers, producer.identity.producerId, ends);
      assert.equal(answer, what === 'old', `${what} topic`);
      if (what === 'old') await topics.remake(topic);
    }
  } finally {
    open.resolve();
    for (const producer of opened) await producer.close();
    await brokers.close();
  }
});
