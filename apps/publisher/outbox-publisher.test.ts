/** The publisher inside of an application, on real servers, alone and next to the relay's own processes. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import mysql, { type Connection } from 'mysql2/promise';
import { OutboxRepository, topicCheck } from '#application-outbox';
import { RelayError } from '#runtime';
import {
  createDeployment,
  createTestTopic,
  type Deployment,
  freePort,
  readTopic,
  testEnvironment,
  until,
} from '#testkit';
import { createOutboxDoorbell, createTopicLookup, OutboxPublisher, type PublisherFault } from './index.ts';

const WAIT_MS = 30_000;
const MESSAGE_BYTES_MAX = 5_000;

let relay: Deployment;
let connection: Connection;
let topic: string;
const outbox = new OutboxRepository();
const open: OutboxPublisher[] = [];

before(async () => {
  relay = await createDeployment({
    name: 'krs_publisher',
    source: { table: 'outboxevent', keyColumn: 'aggregateid', watermarkColumn: 'seq' },
    settings: { SOURCE_MODE: 'consume', KAFKA_TOPIC: '', REDIS_URL: '', LANES: '2' },
  });
  const { env } = relay as { env: Record<string, string> };
  env.KAFKA_ROW_SENDER_SOURCE_EVENT_TOPIC_PREFIX = `${relay.name}.`;
  const { code, output } = await relay.cli('init', '--event-tables', '--wait', '30');
  assert.equal(code, 0, output);
  topic = `${relay.name}.order`;
  await createTestTopic({ name: topic, partitions: 2, config: { 'max.message.bytes': String(MESSAGE_BYTES_MAX) } });
  const { host, port, user, password, name } = relay.database;
  connection = await mysql.createConnection({ host, port, user, password, database: name });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((publisher) => publisher.stop()));
});

after(async () => {
  await connection?.end();
  await relay?.drop();
});

function publisher(
  more: Partial<ConstructorParameters<typeof OutboxPublisher>[0]> = {},
  settings = {},
): OutboxPublisher {
  const made = new OutboxPublisher({ settings: { ...relay.env, ...settings }, ...more });
  open.push(made);
  return made;
}

let added = 0;
async function add(count: number, repository = outbox): Promise<void> {
  await connection.beginTransaction();
  for (let n = 0; n < count; n += 1) {
    added += 1;
    await repository.add(connection, {
      type: 'T',
      aggregateType: 'order',
      aggregateId: `${added % 3}`,
      payload: added,
    });
  }
  await connection.commit();
}

async function assertPublished(): Promise<void> {
  const values = (await readTopic(topic)).map(({ value }) => Number(value));
  assert.deepEqual(
    values.toSorted((a, b) => a - b),
    Array.from({ length: added }, (_, n) => n + 1),
  );
}

test('publishBatch publishes as many as it is told, in order, and says how many', async () => {
  const seen: string[] = [];
  const one = publisher({
    metrics: { noEvents: () => seen.push('none'), batchComplete: (count) => seen.push(`complete ${count}`) },
  });
  await add(25);
  assert.equal(await one.publishBatch(10), 10);
  assert.equal((await readTopic(topic)).length, 10);
  assert.deepEqual(await Promise.all([one.publishBatch(10), one.publishBatch(10)]), [10, 5]);
  assert.equal(await one.publishBatch(), 0);
  assert.deepEqual(seen, ['complete 10', 'complete 10', 'complete 5', 'none', 'complete 0']);
  await assertPublished();
  await assert.rejects(one.publishBatch(0), { code: 'CONFIG_INVALID' });
});

test('two publishers and the relay itself publish each event once between them', async () => {
  const run = relay.run();
  const publishers = [publisher(), publisher()];
  const published = [0, 0];
  for (let round = 0; round < 5; round += 1) {
    await add(20);
    const counts = await Promise.all(publishers.map((each) => each.publishBatch(7)));
    for (const [index, count] of counts.entries()) published[index] = (published[index] ?? 0) + count;
  }
  await until('all of them', async () => (await readTopic(topic)).length >= added, WAIT_MS);
  await assertPublished();
  assert.ok(run.running);
  await relay.stopAll();
});

test('scheduled publishing goes on until it is stopped; health says how it is', async () => {
  const one = publisher();
  const scheduled = one.schedulePublishing();
  await add(30);
  await until('all of them', async () => (await readTopic(topic)).length >= added, WAIT_MS);
  await assertPublished();
  const { status, checks } = await one.checkHealth();
  assert.equal(status, 'healthy', JSON.stringify(checks));
  await assert.rejects(one.publishBatch(1), { code: 'CONFIG_INVALID' });
  await one.stop();
  await scheduled;
  await assert.rejects(one.publishBatch(1), { code: 'STOPPED' });
});

test('gaps of rollbacks are settled between batches, and do not pile up', async () => {
  const one = publisher();
  for (let n = 0; n < 60; n += 1) {
    await connection.beginTransaction();
    await outbox.add(connection, { type: 'T', aggregateType: 'order', aggregateId: 'never', payload: 0 });
    await connection.rollback();
    // Unevenly, so that each is a gap of its own.
    await add(1 + (n % 3) + (n % 2));
  }
  const gaps = async () => {
    const [row] = await relay.query<{ n: string }>('SELECT COALESCE(SUM(ranges), 0) AS n FROM kafka_row_sender_gap');
    return Number(row?.n);
  };
  assert.equal(await one.publishBatch(1_000), 150);
  assert.ok((await gaps()) >= 59, `${await gaps()} gaps`);
  await add(1);
  assert.equal(await one.publishBatch(100), 1);
  assert.ok((await gaps()) <= 1, `${await gaps()} gaps are left`);
  await assertPublished();
});

test('Kafka away: the error handler hears of it, health says it, and nothing is lost', async () => {
  const faults: PublisherFault[] = [];
  const away = { KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${await freePort()}` };
  const errorHandler = (fault: PublisherFault) => void faults.push(fault);
  const one = publisher({ errorHandler, deliveryDeadlineMs: 500 }, away);
  await add(3);
  await assert.rejects(one.publishBatch(), (thrown: RelayError) => thrown.verdict === 'retry');
  await until('a fault', () => faults.some(({ verdict }) => verdict === 'retry'), WAIT_MS);
  assert.equal(await one.countUnpublished(), 3);
  const { status, checks } = await one.checkHealth();
  assert.deepEqual([status, checks.database.status, checks.broker.status], ['unhealthy', 'healthy', 'unhealthy']);
  await one.stop();
  const other = publisher();
  const scheduled = other.schedulePublishing();
  await until('all of them', async () => (await readTopic(topic)).length >= added, WAIT_MS);
  await assertPublished();
  await until('none left', async () => (await other.countUnpublished()) === 0, WAIT_MS);
  await other.stop();
  await scheduled;
});

test('an event too large for its topic, or for a topic that is not there, fails in its transaction', async () => {
  const lookup = createTopicLookup({ settings: relay.env, timeoutMs: 10_000 });
  const careful = new OutboxRepository({ checks: [topicCheck({ lookup })] });
  const event = { type: 'T', aggregateType: 'order', aggregateId: 'x', topic };
  const refused = (reason: string) => (thrown: unknown) =>
    thrown instanceof RelayError && thrown.details.reason === reason;
  await connection.beginTransaction();
  await careful.add(connection, { ...event, payload: 'small' });
  const large = 'x'.repeat(MESSAGE_BYTES_MAX);
  await assert.rejects(careful.add(connection, { ...event, payload: large }), refused('too-large'));
  const nowhere = { ...event, topic: `${topic}.none`, payload: 'small' };
  await assert.rejects(careful.add(connection, nowhere), refused('topic-missing'));
  const bootstrap = `127.0.0.1:${await freePort()}`;
  const away = createTopicLookup({ settings: { KAFKA_BOOTSTRAP_SERVERS: bootstrap }, timeoutMs: 200 });
  await new OutboxRepository({ checks: [topicCheck({ lookup: away })] }).add(connection, nowhere);
  await connection.rollback();
});

test('the doorbell spares the wait for the next poll', async (t) => {
  const { redisUrl } = testEnvironment();
  const settings = { KAFKA_ROW_SENDER_REDIS_URL: redisUrl, KAFKA_ROW_SENDER_OUTBOX_WRITER_POLL_INTERVAL: '20' };
  const one = publisher({}, settings);
  const scheduled = one.schedulePublishing();
  await add(1);
  const all = async () => (await readTopic(topic)).length >= added;
  await until('the first', all, WAIT_MS);
  const bell = createOutboxDoorbell({ redisUrl, prefix: relay.name });
  t.after(() => bell.close());
  const ways: readonly [string, () => Promise<void>][] = [
    ['by hand', () => add(1).then(() => bell.ring())],
    ['a repository with a doorbell', () => add(1, new OutboxRepository({ doorbell: bell }))],
    ['a repository with the publisher itself', () => add(1, new OutboxRepository({ doorbell: one }))],
  ];
  for (const [way, addOne] of ways) {
    // Idle for so long that its pace is slow: 4 ms, times 1.5 each time, is over a second after fourteen polls.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const startedMs = Date.now();
    await addOne();
    await until(`the next, rung for by ${way}`, all, WAIT_MS);
    assert.ok(Date.now() - startedMs < 1_000, `${way}: ${Date.now() - startedMs} ms`);
  }
  await one.stop();
  await scheduled;
});
