/** On a real broker that is taken for an older one: without fetch by id (before Kafka 3.1), and without ids at all (before 2.8). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Kafka } from 'kafkajs';
import { silentLogger, systemClock } from '#runtime';
import { ChangingTopics, handledAll, numbered, testEnvironment, uniqueName, until } from '#testkit';
import { openKafkajs } from './connect-kafka.ts';
import { mendConsumer } from './mend-consumer.ts';
import { topicNote } from './topic-note.ts';

const [METADATA, FETCH] = [3, 1];
let topics: ChangingTopics;

before(async () => {
  topics = await ChangingTopics.open();
});

after(() => topics?.close());

interface Versioned {
  versions: Record<number, { minVersion: number; maxVersion: number }> | null;
  connect(): Promise<void>;
}

/** The client's brokers say that they speak no more than this. */
function age(kafka: Kafka, most: Readonly<Record<number, number>>): void {
  const client = kafka as unknown as Record<symbol, (options: object) => unknown>;
  const symbol = Object.getOwnPropertySymbols(client).find(({ description }) => description?.endsWith('createCluster'));
  assert.ok(symbol !== undefined);
  const create = client[symbol];
  client[symbol] = (options) => {
    const cluster = create?.(options) as { brokerPool: { createBroker(options: object): Versioned } };
    const make = cluster.brokerPool.createBroker;
    cluster.brokerPool.createBroker = (brokerOptions) => {
      const broker = make(brokerOptions);
      const connect = broker.connect.bind(broker);
      broker.connect = async () => {
        await connect();
        for (const [api, maxVersion] of Object.entries(most)) {
          const spoken = broker.versions?.[Number(api)];
          if (spoken !== undefined) spoken.maxVersion = Math.min(spoken.maxVersion, maxVersion);
        }
      };
      return broker;
    };
    return cluster;
  };
}

/** A consumer as the retriable one is, without its retries. */
async function consumeByName(
  topic: string,
  seen: string[],
  said: string[],
  most: Readonly<Record<number, number>>,
  /** Nothing is fetched, and nobody asks for the topic, while it is pending. */
  hold: () => Promise<void> = async () => undefined,
) {
  const brokers = testEnvironment().kafkaBrokers;
  const kafka = openKafkajs({ brokers, clientId: 'test', logger: silentLogger });
  age(kafka, most);
  const consumed = mendConsumer(kafka, {
    onJoined: () => undefined,
    onMadeAnew: (facts) => void said.push(facts.topic),
    onOutOfRange: (name, partition, start) => consumer.seek({ topic: name, partition, offset: String(start) }),
  });
  const consumer = kafka.consumer({ groupId: uniqueName('anew'), maxWaitTimeInMs: 200, heartbeatInterval: 300 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch, commitOffsetsIfNecessary }) => {
      seen.push(...batch.messages.map(({ value }) => String(value)));
      const { topicId = null } = batch.messages[0] as { topicId?: string | null };
      const offset = String(Number(batch.lastOffset()) + 1);
      const partitions = [{ partition: 0, offset, metadata: topicNote(topicId) }];
      await hold();
      await commitOffsetsIfNecessary({ topics: [{ topic, partitions }] });
    },
  });
  const stopped = new AbortController();
  const checking = (async () => {
    while (!stopped.signal.aborted) {
      await systemClock.sleep(100, stopped.signal);
      await hold();
      await consumed.check([]);
    }
  })();
  const stop = async () => {
    stopped.abort();
    await checking;
    await consumer.disconnect();
  };
  return { consumed, stop };
}

test('fetched by name: the ids are asked for after each answer, and no record is passed over', async () => {
  const topic = await topics.topic();
  const [seen, said]: [string[], string[]] = [[], []];
  let held = Promise.withResolvers<void>();
  const { stop } = await consumeByName(topic, seen, said, { [FETCH]: 11 }, () => held.promise);
  try {
    for (const [round, count] of [100, 110, 220, 30].entries()) {
      if (round > 0) await topics.remake(topic);
      await topics.send(topic, numbered(0, count, `r${round}`));
      held.resolve();
      await handledAll(seen, numbered(0, count, `r${round}`));
      // The last record is handled while the topic is deleted and made anew: no fetch sees that it was away.
      held = Promise.withResolvers();
      await topics.send(topic, ['last']);
      await until('the last record', () => seen.filter((each) => each === 'last').length > round, 20_000);
    }
  } finally {
    held.resolve();
    await stop();
  }
  assert.equal(said.length, 3);
});

test('no ids at all: what is consumed is consumed, and nobody claims to know more', async () => {
  const topic = await topics.topic();
  const [seen, said]: [string[], string[]] = [[], []];
  const { consumed, stop } = await consumeByName(topic, seen, said, { [FETCH]: 11, [METADATA]: 8 });
  try {
    await topics.send(topic, numbered(0, 150, 'old'));
    await handledAll(seen, numbered(0, 150, 'old'));
    await until('the check', async () => (await consumed.check([])) === null, 5_000);
  } finally {
    await stop();
  }
  assert.deepEqual(said, []);
});
