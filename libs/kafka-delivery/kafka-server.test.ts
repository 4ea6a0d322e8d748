/** What only a real broker can show: reading, topics, bounds, the wrap of sequences, faults of the connection. */
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { after, test } from 'node:test';
import type { DeliveryRecord } from '#outbox';
import { RelayError, silentLogger } from '#runtime';
import { createTestTopic, failOnLeaks, readTopic, testEnvironment, uniqueName } from '#testkit';
import { createBatchBounds } from './batch-bounds.ts';
import {
  connectKafka,
  createKafkaPort,
  createKafkaPortOn,
  createTopicAdmin,
  type KafkaOptions,
  preflight,
  type ReadBatch,
  type ReadOptions,
  readTopics,
} from './index.ts';
import { createRecordTime } from './record-time.ts';
import { createSequences } from './sequences.ts';
import { openTransactionalSession } from './transactional-session.ts';

const options = (changes: Partial<KafkaOptions> = {}): KafkaOptions => ({
  brokers: testEnvironment().kafkaBrokers,
  clientId: 'kafka-server-test',
  logger: silentLogger,
  prefix: uniqueName('server'),
  outboxTable: 'outbox',
  ...changes,
});

const base = options();
const connection = connectKafka(base);
const admin = createTopicAdmin(connection);
const topics: string[] = [];

after(async () => {
  await admin.deleteTopics(topics);
  await admin.close();
});
// After the hook above: hooks run in the order they are given.
failOnLeaks();

async function freshTopic(partitions: number): Promise<string> {
  const topic = uniqueName('server');
  topics.push(topic);
  assert.equal(await admin.ensureTopic(topic, partitions), 'created');
  return topic;
}

const records = (topic: string, from: number, count: number, bytes = 20): DeliveryRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    topic,
    key: Buffer.from(`key-${(from + index) % 5}`),
    value: Buffer.alloc(bytes, 'v'),
    headers: { 'outbox-id': String(from + index) },
    spread: from + index,
    size: bytes + 20,
  }));

async function rejection(work: Promise<unknown>): Promise<RelayError> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof RelayError, `expected a RelayError, got ${String(outcome)}`);
  return outcome;
}

async function read(readOptions: ReadOptions): Promise<ReadBatch[]> {
  const batches: ReadBatch[] = [];
  for await (const batch of readTopics(connection, readOptions)) batches.push(batch);
  return batches;
}

const ids = (batches: readonly ReadBatch[]): number[] =>
  batches.flatMap((batch) => batch.records.map(({ headers }) => Number(headers['outbox-id']))).sort((a, b) => a - b);

/** Leaves an aborted transaction at the end of the topic. */
async function abortAfterSend(topic: string, from: number, count: number): Promise<void> {
  const gate = async (name: string) => {
    if (name === 'before:commit') throw new RelayError('KAFKA_OUTCOME_UNKNOWN', 'stopped by the test');
  };
  const port = createKafkaPort({ ...base, gate });
  const session = await port.open(uniqueName('aborter'));
  await rejection(session.transact(records(topic, from, count), []));
  await session.close();
  await port.close();
}

test('the reader sees committed records only, and gets past an aborted tail', async () => {
  const topic = await freshTopic(2);
  const port = createKafkaPort(base);
  const session = await port.open(uniqueName('reader'));
  await session.transact(records(topic, 0, 50), []);
  await abortAfterSend(topic, 1000, 30);
  await session.transact(records(topic, 50, 50), []);
  await abortAfterSend(topic, 2000, 30);
  await session.close();
  await port.close();
  const batches = await read({ topics: [topic], withValues: true });
  assert.deepEqual(
    ids(batches),
    Array.from({ length: 100 }, (_, index) => index),
  );
  for (const partition of [0, 1]) {
    const last = batches.findLast((batch) => batch.partition === partition);
    assert.equal(last?.position, last?.end, 'the position passes aborted records and control batches');
    const offsets = batches
      .filter((batch) => batch.partition === partition)
      .flatMap((batch) => batch.records.map(({ offset }) => offset));
    assert.deepEqual(
      offsets,
      [...offsets].sort((a, b) => a - b),
    );
  }
  const sizes = batches.flatMap((batch) => batch.records.map(({ value, valueBytes }) => [value?.length, valueBytes]));
  assert.ok(sizes.every(([length, size]) => length === 20 && size === 20));
  const withoutValues = await read({ topics: [topic] });
  assert.ok(
    withoutValues.every((batch) => batch.records.every(({ value, valueBytes }) => value === null && valueBytes === 20)),
  );
});

test('a reader that follows gets what is committed later, and stops when told to', async () => {
  const topic = await freshTopic(1);
  const stop = new AbortController();
  const port = createKafkaPort(base);
  const session = await port.open(uniqueName('follower'));
  await session.transact(records(topic, 0, 3), []);
  const seen: number[] = [];
  for await (const batch of readTopics(connection, { topics: [topic], follow: stop.signal })) {
    seen.push(...ids([batch]));
    if (seen.length === 3) await session.transact(records(topic, 3, 3), []);
    if (seen.length === 6) stop.abort();
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5]);
  await session.close();
  await port.close();
});

test('an empty topic is read at once; a missing one is KAFKA_TOPIC_MISSING', async () => {
  const topic = await freshTopic(3);
  assert.deepEqual(await read({ topics: [topic] }), []);
  const fault = await rejection(read({ topics: [uniqueName('missing')] }));
  assert.equal(fault.code, 'KAFKA_TOPIC_MISSING');
});

test("gzip batches are read by kafkajs's consumer and by ours", async () => {
  const topic = await freshTopic(2);
  const port = createKafkaPort({ ...base, compression: 'gzip' });
  const session = await port.open(uniqueName('gzip'));
  await session.transact(records(topic, 0, 500, 300), []);
  await session.close();
  await port.close();
  assert.equal((await readTopic(topic)).length, 500);
  assert.equal(ids(await read({ topics: [topic] })).length, 500);
});

test('more than one batch can hold goes in several, in order', async () => {
  const topic = await freshTopic(2);
  const port = createKafkaPort(base);
  const session = await port.open(uniqueName('large'));
  await session.transact(records(topic, 0, 60, 100_000), []);
  await session.close();
  await port.close();
  const seen = await read({ topics: [topic] });
  for (const partition of [0, 1]) {
    const order = seen
      .filter((batch) => batch.partition === partition)
      .flatMap((batch) => batch.records.map(({ headers }) => Number(headers['outbox-id'])));
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  }
  assert.equal(ids(seen).length, 60);
});

test('a topic that allows less than our bound is learned, not given up', async () => {
  const topic = await createTestTopic({ config: { 'max.message.bytes': '50000' } });
  topics.push(topic.name);
  const port = createKafkaPort(base);
  let attempts = 0;
  for (; attempts < 10; attempts += 1) {
    const session = await port.open('learner');
    const fault = await session.transact(records(topic.name, 0, 400, 1000), []).then(
      () => null,
      (error: unknown) => error as RelayError,
    );
    await session.close();
    if (fault === null) break;
    assert.equal(fault.code, 'KAFKA_RECORD_REFUSED');
  }
  assert.ok(attempts > 0 && attempts < 10, `${attempts} attempts`);
  assert.equal(ids(await read({ topics: [topic.name] })).length, 400);
  await port.close();
});

test('sequences wrap where the broker expects them to', async () => {
  const topic = await freshTopic(1);
  const { settings } = connection;
  const session = await openTransactionalSession(uniqueName('wrap'), {
    settings,
    ...{ brokers: connection.brokers(), bounds: createBatchBounds(900_000), topics: new Set<string>() },
    recordTime: createRecordTime(settings),
    sequences: createSequences(0x7fffffff - 4),
  });
  for (let round = 0; round < 4; round += 1) await session.transact(records(topic, round * 3, 3), []);
  await session.close();
  assert.equal(ids(await read({ topics: [topic] })).length, 12);
});

test('the marker topic is made, grown, and found there', async () => {
  const mine = connectKafka(options());
  const own = createTopicAdmin(mine);
  const name = `${mine.settings.prefix}.markers`;
  topics.push(name);
  assert.equal(await own.createMarkerTopic(4), 'created');
  assert.equal(await own.createMarkerTopic(4), 'there');
  assert.equal(await own.createMarkerTopic(8), 'grown');
  assert.equal(await own.createMarkerTopic(2), 'there', 'never shrunk');
  const missing = uniqueName('missing');
  assert.deepEqual(
    await own.describeTopics([name, missing]),
    new Map([
      [name, 8],
      [missing, null],
    ]),
  );
  await own.close();
});

test('markers without a marker topic: KAFKA_TOPIC_MISSING, and told to run init', async () => {
  const port = createKafkaPort(options());
  const fault = await rejection(port.readMarkers('lane', [0]));
  assert.equal(fault.code, 'KAFKA_TOPIC_MISSING');
  assert.match(fault.message, /init/);
  await port.close();
});

test('preflight tells the brokers and how long idle markers live', async () => {
  const found = await preflight(connection);
  assert.ok(found.brokers >= 1);
  assert.ok((found.offsetsRetentionMinutes ?? 0) > 0);
  assert.ok((found.transactionTimeoutMsMax ?? 0) >= 40_000);
});

test("a transaction timeout above the brokers' maximum is a configuration fault", async () => {
  const port = createKafkaPort({ ...base, transactionTimeoutMs: 2_000_000_000 });
  assert.equal((await rejection(port.open(uniqueName('timeout')))).code, 'CONFIG_INVALID');
  await port.close();
});

test('nobody at the address: KAFKA_UNREACHABLE, from preflight and from open', async () => {
  const nowhere = connectKafka(options({ brokers: ['127.0.0.1:1'], connectionTimeoutMs: 500 }));
  assert.equal((await rejection(preflight(nowhere))).code, 'KAFKA_UNREACHABLE');
  const port = createKafkaPortOn(nowhere);
  assert.equal((await rejection(port.open('nobody'))).code, 'KAFKA_UNREACHABLE');
  await port.close();
});

test('a server that accepts and says nothing is given up within the deadlines', async () => {
  const mute = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => mute.once('listening', resolve));
  const sockets = new Set<{ destroy(): void }>();
  mute.on('connection', (socket) => sockets.add(socket));
  const brokers = [`127.0.0.1:${(mute.address() as AddressInfo).port}`];
  const port = createKafkaPort(options({ brokers, connectionTimeoutMs: 300, requestTimeoutMs: 300 }));
  assert.equal((await rejection(port.open('mute'))).code, 'KAFKA_UNREACHABLE');
  await port.close();
  for (const socket of sockets) socket.destroy();
  mute.close();
});

test('a malformed address is CONFIG_INVALID', () => {
  for (const broker of ['localhost', 'localhost:', ':9092', 'localhost:99999', 'a b:9092', '::1:9092']) {
    assert.throws(
      () => createKafkaPort(options({ brokers: [broker] })),
      (error) => error instanceof RelayError && error.code === 'CONFIG_INVALID',
      broker,
    );
  }
});

test('weaker acks deliver too: 1 and 0', async () => {
  const topic = await freshTopic(2);
  for (const [round, acks] of ([1, 0] as const).entries()) {
    const port = createKafkaPort({ ...base, acks });
    assert.equal(port.transactional, false);
    const session = await port.open('weak');
    await session.transact(records(topic, round * 10, 10), []);
    await session.close();
    await port.close();
  }
  assert.ok(ids(await read({ topics: [topic] })).length >= 10);
});
