/** The fault proxy in front of real servers: what it breaks is broken, and the effect behind a lost reply is there. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import mysql from 'mysql2/promise';
import { createTestDatabase, type TestDatabase } from './create-test-database.ts';
import { createTestTopic, type TestTopic } from './create-test-topic.ts';
import { testKafka } from './kafka-client.ts';
import { failOnLeaks } from './leak-check.ts';
import { readTopic } from './read-topic.ts';
import { type FaultProxy, startProxy } from './start-proxy.ts';
import { testEnvironment } from './test-environment.ts';

failOnLeaks();

const END_TXN = 26;
const { redisUrl, kafkaBrokers } = testEnvironment();

describe('a proxy before Redis', () => {
  let proxy: FaultProxy;
  let redis: Redis;

  before(async () => {
    const { hostname, port } = new URL(redisUrl);
    proxy = await startProxy({ host: hostname, port: Number(port) });
    redis = new Redis(proxy.port, proxy.host, { retryStrategy: () => 10, maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
  });
  after(async () => {
    redis.disconnect();
    await proxy.stop();
  });

  test('passes, delays in order, and holds in a black hole', async () => {
    assert.equal(await redis.ping(), 'PONG');
    proxy.delay(100);
    const startedMs = performance.now();
    const answers = [redis.echo('slow')];
    await answers[0];
    assert.ok(performance.now() - startedMs >= 195, 'both ways');
    answers.push(redis.echo('first'));
    await new Promise(setImmediate);
    proxy.pass();
    answers.push(redis.echo('second'));
    assert.deepEqual(await Promise.all(answers), ['slow', 'first', 'second']);

    proxy.blackHole();
    let answered = false;
    const pong = redis.ping().then(() => {
      answered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(answered, false);
    proxy.pass();
    await pong;
  });

  test('cuts, refuses, and lets in again', async () => {
    const closed = new Promise((resolve) => redis.once('close', resolve));
    proxy.cut();
    await closed;
    assert.equal(proxy.connections, 0);
    proxy.pass();
    assert.equal(await redis.ping(), 'PONG');
  });
});

describe('a proxy before the database', () => {
  let database: TestDatabase;
  let proxy: FaultProxy;

  before(async () => {
    database = await createTestDatabase();
    proxy = await startProxy(database);
  });
  after(async () => {
    await proxy.stop();
    await database.drop();
  });

  test('COMMIT arrives, its reply does not', async () => {
    const { user, password, name } = database;
    const open = (port: number) => mysql.createConnection({ host: '127.0.0.1', port, user, password, database: name });
    const [direct, behind] = await Promise.all([open(database.port), open(proxy.port)]);
    await direct.query('CREATE TABLE t (n INT PRIMARY KEY)');
    await behind.beginTransaction();
    await behind.query('INSERT INTO t VALUES (1)');
    const lost = proxy.cutBeforeReply({ text: 'COMMIT' });
    await assert.rejects(behind.query('COMMIT'), { code: 'PROTOCOL_CONNECTION_LOST' });
    await lost;
    const [rows] = await direct.query('SELECT n FROM t');
    assert.deepEqual(rows, [{ n: 1 }]);
    behind.destroy();
    await direct.end();
  });
});

describe('a proxy before Kafka', () => {
  let topic: TestTopic;
  let proxy: FaultProxy;

  before(async () => {
    topic = await createTestTopic();
    const [host, port] = (kafkaBrokers[0] ?? '').split(':');
    proxy = await startProxy({ host: host ?? '', port: Number(port) }, { kafka: true });
  });
  after(async () => {
    await proxy.stop();
    await topic.drop();
  });

  test('EndTxn arrives, its reply does not, and nothing went around the proxy', async () => {
    const kafka = testKafka(`${proxy.host}:${proxy.port}`);
    const producer = kafka.producer({ transactionalId: topic.name, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const transaction = await producer.transaction();
    await transaction.send({ topic: topic.name, messages: [{ value: 'once' }] });
    const lost = proxy.cutBeforeReply({ apiKey: END_TXN });
    await assert.rejects(transaction.commit());
    await lost;
    await producer.disconnect();
    const records = await readTopic(topic.name);
    assert.deepEqual(records.map(({ value }) => String(value)), ['once']); // biome-ignore format: short
  });
});
