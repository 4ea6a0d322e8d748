/**
 * A consumer that is killed at random places, and at the two places where it hurts most, on real servers: every event of
 * the topic has its effect exactly once, although some were sent twice and many are read again.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import {
  type App,
  createTestDatabase,
  createTestTopic,
  seededRandom,
  spawnApp,
  type TestDatabase,
  type TestTopic,
  testEnvironment,
  testKafka,
  testSeed,
  uniqueName,
  until,
} from '#testkit';
import { inboxTableSql } from './index.ts';

const EVENTS = 400;
const SENT_TWICE = 40;
/** Each costs the group a session timeout of 6 s. */
const KILLS = 3;
const DEADLINE_MS = 90_000;

let database: TestDatabase;
let topic: TestTopic;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_inbox_kill' });
  topic = await createTestTopic({ prefix: 'krs-inbox', partitions: 2 });
  const { host, port, user, password, name } = database;
  pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 2 });
  for (const sql of inboxTableSql()) await pool.query(sql);
  // No unique key: a second effect shows.
  await pool.query('CREATE TABLE effects (event VARCHAR(64) NOT NULL) ENGINE=InnoDB');
});

after(async () => {
  await pool?.end();
  await topic?.drop();
  await database?.drop();
});

async function produce(): Promise<void> {
  const producer = testKafka(testEnvironment().kafkaBootstrap).producer();
  const message = (i: number) => ({ key: `${i % 7}`, value: `${i}`, headers: { id: `event-${i}` } });
  const numbers = [...Array(EVENTS).keys(), ...Array(SENT_TWICE).keys()];
  await producer.connect();
  await producer.send({ topic: topic.name, messages: numbers.map(message) });
  await producer.disconnect();
}

async function effects(): Promise<{ all: number; distinct: number }> {
  const [rows] = await pool.query<RowDataPacket[]>('SELECT COUNT(*) n, COUNT(DISTINCT event) d FROM effects');
  return { all: Number(rows[0]?.n), distinct: Number(rows[0]?.d) };
}

function spawnConsumer(groupId: string, crashAt?: string): App {
  const { host, port, user, password, name } = database;
  const { kafkaBootstrap: bootstrap } = testEnvironment();
  const settings = { bootstrap, topic: topic.name, groupId, database: { host, port, user, password, database: name } };
  return spawnApp('libs/inbox/inbox-consumer.child.ts', crashAt === undefined ? {} : { KRS_CRASH_AT: crashAt }, {
    args: [JSON.stringify(settings)],
  });
}

test('a consumer killed at random: each effect exactly once', { timeout: 4 * DEADLINE_MS }, async () => {
  const seed = testSeed();
  const random = seededRandom(seed);
  const groupId = uniqueName('krs-inbox');
  const message = `KRS_TEST_SEED=${seed}`;
  await produce();
  const crashes = ['inbox-before-commit', 'inbox-after-commit'];
  for (const place of crashes) {
    const app = spawnConsumer(groupId, `${place}:${1 + Math.floor(random() * 50)}`);
    assert.equal((await app.exit).signal, 'SIGKILL', `${place}, ${message}: ${app.output()}`);
  }
  for (let kill = 0; kill < KILLS; kill += 1) {
    const app = spawnConsumer(groupId);
    const wanted = Math.floor(random() * 80);
    await app.waitForLog(() => app.log.length > wanted, DEADLINE_MS, `${wanted} lines`);
    await app.kill();
  }
  const last = spawnConsumer(groupId);
  try {
    await until('all effects', async () => (await effects()).distinct === EVENTS, DEADLINE_MS);
    // The events sent twice are the last of their partitions: all of them have been read, too.
    await until('the end', () => endReached(groupId), DEADLINE_MS);
    assert.deepEqual(await effects(), { all: EVENTS, distinct: EVENTS }, message);
    assert.ok(last.log.some(({ msg }) => msg === 'duplicate'));
  } finally {
    await last.stop();
  }
});

async function endReached(groupId: string): Promise<boolean> {
  const admin = testKafka(testEnvironment().kafkaBootstrap).admin();
  await admin.connect();
  try {
    const ends = await admin.fetchTopicOffsets(topic.name);
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic.name] });
    const offsetOf = new Map(committed?.partitions.map(({ partition, offset }) => [partition, offset]));
    return ends.every(({ partition, offset }) => offsetOf.get(partition) === offset);
  } finally {
    await admin.disconnect();
  }
}
