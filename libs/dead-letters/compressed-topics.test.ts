/**
 * Whatever compresses a topic, everything that reads records reads it. Brokers compress anew by the topic's `compression.type`, with
 * the libraries of Java clients; what we write ourselves they have to read before they take it.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type Compression,
  connectKafka,
  createKafkaPort,
  createTopicAdmin,
  type KafkaOptions,
  readTopics,
} from '#kafka-delivery';
import { createRetriableConsumer } from '#retriable-consumer';
import { silentLogger } from '#runtime';
import { createTestTopic, type TestTopic, testEnvironment, uniqueName, until } from '#testkit';
import { readDeadLetters } from './index.ts';

const DEADLINE_MS = 40_000;
const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
const RECORDS = 50;
const BYTES = 2_000;
const topics: TestTopic[] = [];
let kafka: KafkaOptions;

before(async () => {
  const prefix = uniqueName('krs-codec');
  const { kafkaBrokers: brokers } = testEnvironment();
  kafka = { brokers, clientId: 'krs-test', logger: silentLogger, prefix, outboxTable: 'outbox' };
  const admin = createTopicAdmin(connectKafka(kafka));
  await admin.createMarkerTopic(1);
  await admin.close();
});

after(async () => {
  for (const topic of topics) await topic.drop();
});

async function topic(compression: string): Promise<string> {
  const made = await createTestTopic({ prefix: 'krs-codec', config: { 'compression.type': compression } });
  topics.push(made);
  return made.name;
}

const record = (name: string, id: number) => ({
  topic: name,
  key: Buffer.from(`key-${id % 5}`),
  value: Buffer.from(`${id} ${'some text '.repeat(BYTES / 10)}`),
  headers: { id: `e:${id}`, 'outbox-id': String(id) },
  spread: id,
  size: BYTES,
});

/** Writes through the relay's own port, and asks afterwards what of it has arrived. */
async function deliver(name: string, compression: Compression): Promise<readonly number[]> {
  const owner = uniqueName('own');
  const port = createKafkaPort({ ...kafka, compression });
  const session = await port.open(owner);
  const records = Array.from({ length: RECORDS }, (_, n) => record(name, n + 1));
  await session.transact(records, [{ kind: 'lane', lane: 0, value: RECORDS }]);
  await session.close();
  await port.close();
  const taker = createKafkaPort(kafka);
  await taker.fence(owner, async () => [name]);
  await taker.readMarkers('lane', [0]);
  const landed = await taker.findLanded([owner], [0]);
  await taker.close();
  return [...(landed?.committed ?? [])].sort((a, b) => a - b);
}

async function idsIn(name: string): Promise<number[]> {
  const ids: number[] = [];
  for await (const { records } of readTopics(connectKafka(kafka), { topics: [name], to: 'written' })) {
    for (const { headers } of records) ids.push(Number(headers['outbox-id']));
  }
  return ids.sort((a, b) => a - b);
}

const ALL = Array.from({ length: RECORDS }, (_, n) => n + 1);

for (const codec of CODECS) {
  test(`${codec}: written by us, compressed anew by the broker; read back, looked back at, consumed, listed`, async () => {
    const [ours, theirs, dead] = [await topic('producer'), await topic(codec), await topic(codec)];
    assert.deepEqual(await deliver(ours, codec), ALL);
    assert.deepEqual(await deliver(theirs, 'none'), ALL);
    assert.deepEqual(await idsIn(ours), ALL);
    assert.deepEqual(await idsIn(theirs), ALL);
    const seen: number[] = [];
    const consumer = createRetriableConsumer({
      brokers: kafka.brokers,
      groupId: uniqueName('krs-codec'),
      topics: [ours, theirs].map((name) => ({ topic: name, deadLetterTopic: dead, retries: 0 })),
      handler: ({ headers, value }) => {
        assert.equal(value?.length, String(headers['outbox-id']).length + 1 + BYTES);
        seen.push(Number(headers['outbox-id']));
        throw new Error('all are buried');
      },
    });
    await consumer.start();
    const letters: (string | undefined)[] = [];
    try {
      await until('all to be handled', () => seen.length === 2 * RECORDS, DEADLINE_MS);
    } finally {
      await consumer.stop();
    }
    for await (const letter of readDeadLetters(connectKafka(kafka), dead)) letters.push(letter.note.reason);
    assert.equal(letters.length, 2 * RECORDS);
  });
}
