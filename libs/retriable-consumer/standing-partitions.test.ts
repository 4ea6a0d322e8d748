/**
 * Three brokers. A batch that a disk has damaged, a partition whose only broker is away: it stands and says so, the others go on, and
 * it goes on itself once that is mended.
 */
import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Registry } from 'prom-client';
import { connectKafka, readTopics } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import { createTestTopic, type KafkaServer, startKafka, testKafka, uniqueName, until } from '#testkit';
import { createConsumerMetrics, createRetriableConsumer } from './index.ts';

const DEADLINE_MS = 60_000;
let dir: string;
let kafka: KafkaServer;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'krs-damaged-'));
  kafka = await startKafka({ dir, nodes: 3 });
});

after(async () => {
  await kafka?.stop();
  await rm(dir, { recursive: true, force: true });
});

/** The only broker that has the topic. */
async function leaderOf(topic: string): Promise<number> {
  const admin = testKafka(kafka.bootstrap).admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.disconnect();
  return topics[0]?.partitions[0]?.leader ?? -1;
}

/** Brokers hand out what is in the file, without a look at it. Answers with what undoes it. */
async function damage(topic: string, text: string): Promise<() => Promise<void>> {
  const path = join(dir, `node-${await leaderOf(topic)}`, 'data', `${topic}-0`, `${'0'.repeat(20)}.log`);
  const at = (await readFile(path)).indexOf(text);
  assert.ok(at > 0);
  const put = async (letter: string) => {
    const file = await open(path, 'r+');
    await file.write(letter, at);
    await file.close();
  };
  await put('X');
  return () => put(text[0] ?? '');
}

const topicsOf = (...replicationFactors: readonly number[]) =>
  Promise.all(
    replicationFactors.map(async (replicationFactor) => {
      const { bootstrap } = kafka;
      return (await createTestTopic({ bootstrap, prefix: 'krs-standing', replicationFactor })).name;
    }),
  );

async function health(registry: Registry): Promise<readonly (number | undefined)[]> {
  const found = await registry.getMetricsAsJSON();
  return ['healthy', 'standing_partitions'].map(
    (name) => found.find((each) => each.name === `kafka_row_sender_consumer_${name}`)?.values[0]?.value,
  );
}

test('a damaged batch: what lies before it and other topics are handled, health names it, mended it is handled', async () => {
  const bootstrap = kafka.bootstrap;
  const [bad = '', good = '', deadLetterTopic = ''] = await topicsOf(1, 1, 1);
  const producer = testKafka(bootstrap).producer();
  await producer.connect();
  for (const value of ['before', 'damaged-one', 'behind']) await producer.send({ topic: bad, messages: [{ value }] });
  await producer.send({ topic: good, messages: [{ value: 'other' }] });
  const mend = await damage(bad, 'damaged-one');
  const seen: string[] = [];
  const registry = new Registry();
  const consumer = createRetriableConsumer({
    brokers: bootstrap.split(','),
    groupId: uniqueName('krs-damaged'),
    topics: [bad, good].map((topic) => ({ topic, deadLetterTopic })),
    handler: ({ value }) => void seen.push(String(value)),
    metrics: createConsumerMetrics(registry),
  });
  try {
    await consumer.start();
    await until('the partition to stand', () => !consumer.health().healthy, DEADLINE_MS);
    assert.match(consumer.health().reasons.join(), new RegExp(`^reading ${bad}/0: cannot be read: .*offsets 1 to 1`));
    await producer.send({ topic: good, messages: [{ value: 'later' }] });
    await until('the other topic', () => seen.includes('later'), DEADLINE_MS);
    assert.deepEqual(seen.toSorted(), ['before', 'later', 'other']);
    await until('the metrics', async () => String(await health(registry)) === '0,1', DEADLINE_MS);
    await assert.rejects(readAll(bootstrap, bad), {
      code: 'KAFKA_UNREADABLE',
      message: new RegExp(`topic ${bad}, partition 0: offsets 1 to 1: the checksum`),
    });
    await mend();
    await until('what lay behind it', () => seen.includes('behind'), DEADLINE_MS);
    await until('health', () => consumer.health().healthy, DEADLINE_MS);
    assert.ok(seen.includes('damaged-one'));
    await until('the metrics', async () => String(await health(registry)) === '1,0', DEADLINE_MS);
  } finally {
    await consumer.stop();
    await producer.disconnect();
  }
  assert.equal(await consumer.ended(), null);
});

async function readAll(bootstrap: string, topic: string): Promise<void> {
  const brokers = bootstrap.split(',');
  const connection = connectKafka({ brokers, clientId: 't', logger: silentLogger, prefix: '', outboxTable: '' });
  for await (const _ of readTopics(connection, { topics: [topic] }));
}

test('a partition without a leader: other topics go on, also after a restart; with a leader it is read', async () => {
  const { bootstrap } = kafka;
  const [alone = '', safe = '', deadLetterTopic = ''] = await topicsOf(1, 3, 3);
  // kafkajs's producer gives up where a broker is away, and sends nothing any more once a topic that it has sent to has no leader.
  const producers = new Map([alone, safe].map((topic) => [topic, testKafka(bootstrap).producer()]));
  for (const producer of producers.values()) await producer.connect();
  const send = (topic: string, value: string) =>
    until(
      'a record to be sent',
      () =>
        (producers.get(topic)?.send({ topic, messages: [{ value }] }) ?? Promise.reject()).then(Boolean, () => false),
      DEADLINE_MS,
    );
  const seen: string[] = [];
  const open = () =>
    createRetriableConsumer({
      brokers: bootstrap.split(','),
      groupId: uniqueName('krs-leaderless'),
      topics: [alone, safe].map((topic) => ({ topic, deadLetterTopic })),
      handler: ({ value }) => void seen.push(String(value)),
    });
  const [first, second] = [open(), open()];
  try {
    await send(alone, 'alone');
    const node = kafka.nodes[(await leaderOf(alone)) - 1];
    assert.ok(node);
    await first.start();
    await until('the first', () => seen.includes('alone'), DEADLINE_MS);
    await node.kill();
    await send(safe, 'while it is away');
    await until('the other topic', () => seen.includes('while it is away'), DEADLINE_MS);
    await until('health', () => /has no leader for partition 0/.test(first.health().reasons.join()), DEADLINE_MS);
    await first.stop();
    await second.start();
    await send(safe, 'after a restart');
    await until('the other topic', () => seen.includes('after a restart'), DEADLINE_MS);
    await node.restart();
    await until('the partition', () => seen.filter((value) => value === 'alone').length === 2, DEADLINE_MS);
    await until('health again', () => second.health().healthy, DEADLINE_MS);
  } finally {
    await Promise.all([first.stop(), second.stop(), ...[...producers.values()].map((each) => each.disconnect())]);
  }
});
