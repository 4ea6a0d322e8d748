/**
 * Members of a group killed and paused at random, each change a rebalance, handlers that fail: every event has its effect
 * exactly once by the inbox, none runs before it is due, order per key is kept in the ordering `key`, dead letters are complete.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { inboxTableSql } from '#inbox';
import { systemClock } from '#runtime';
import {
  type App,
  createTestDatabase,
  createTestTopic,
  type LogLine,
  readTopic,
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
import type { Ordering } from './index.ts';

const EVENTS = 240;
const KEYS = 12;
const ALWAYS_FAILS = 20;
const FAILS_FIRST = 5;
const DELAY_MS = 1_000;
const KILLS = 3;
/** Longer than the session timeout: the group goes on without the member, which then wakes up. */
const PAUSE_MS = 7_500;
const DEADLINE_MS = 120_000;

const isDead = (number: number): boolean => number % ALWAYS_FAILS === 7;
const numbers = [...Array(EVENTS).keys()];
let database: TestDatabase;
let pool: Pool;
const topics: TestTopic[] = [];

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_proof' });
  const { host, port, user, password, name } = database;
  pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 2 });
  for (const sql of inboxTableSql()) await pool.query(sql);
  // No unique key but the order of insertion: a second effect shows.
  await pool.query(
    'CREATE TABLE effects (n BIGINT AUTO_INCREMENT PRIMARY KEY, event INT NOT NULL, name VARCHAR(9)) ENGINE=InnoDB',
  );
});

after(async () => {
  await pool?.end();
  for (const topic of topics) await topic.drop();
  await database?.drop();
});

async function makeTopics() {
  const made: TestTopic[] = [];
  for (const partitions of [4, 2, 1]) made.push(await createTestTopic({ prefix: 'krs-proof', partitions }));
  topics.push(...made);
  const [topic = '', retryTopic = '', deadLetterTopic = ''] = made.map(({ name }) => name);
  return { topic, retryTopic, deadLetterTopic, retries: 2, delayMs: DELAY_MS };
}

async function produce(topic: string): Promise<void> {
  const producer = testKafka(testEnvironment().kafkaBootstrap).producer();
  await producer.connect();
  const message = (i: number) => ({ key: `key-${i % KEYS}`, value: `${i}`, headers: { id: `event-${i}` } });
  await producer.send({ topic, messages: numbers.map(message) });
  await producer.disconnect();
}

async function effects(): Promise<{ event: number; name: string }[]> {
  const [rows] = await pool.query<RowDataPacket[]>('SELECT event, name FROM effects ORDER BY n');
  return rows.map(({ event, name }) => ({ event, name }));
}

/** Kills members one after the other, and pauses one, as soon as they have done something; returns all log lines. */
async function disturb(
  spawn: (member: string) => App,
  random: () => number,
): Promise<{ apps: App[]; lines: LogLine[] }> {
  const lines: LogLine[] = [];
  const apps = [spawn('a'), spawn('b')];
  const progress = (app: App, count: number) =>
    Promise.race([
      app.waitForLog(() => app.log.length >= count, DEADLINE_MS).catch(() => undefined),
      systemClock.sleep(10_000),
    ]);
  for (let kill = 0; kill < KILLS; kill += 1) {
    const slot = random() < 0.5 ? 0 : 1;
    const app = apps[slot] as App;
    await progress(app, 2 + Math.floor(random() * 20));
    await app.kill();
    lines.push(...app.log);
    apps[slot] = spawn(`${'cdefg'[kill]}`);
  }
  const paused = apps[0] as App;
  await progress(paused, 4);
  paused.pause();
  await systemClock.sleep(PAUSE_MS);
  paused.resume();
  return { apps, lines };
}

/** Between two attempts at an event lies the delay, whichever members made them; a restart may repeat an attempt. */
function assertNeverEarly(lines: readonly LogLine[], message: string): void {
  const attempts = lines.filter(({ msg }) => msg === 'attempt') as { number: number; attempt: number; atMs: number }[];
  for (const { number, attempt, atMs } of attempts) {
    if (attempt === 0) continue;
    const before = attempts.filter((other) => other.number === number && other.attempt === attempt - 1);
    const first = Math.min(...before.map((other) => other.atMs));
    assert.ok(atMs - first >= DELAY_MS, `event ${number}, attempt ${attempt}, ${message}`);
  }
}

for (const ordering of ['none', 'key'] satisfies Ordering[]) {
  test(`killed, paused, rebalanced, ordering ${ordering}`, { timeout: 3 * DEADLINE_MS }, async () => {
    await pool.query('DELETE FROM effects');
    await pool.query('DELETE FROM kafka_row_sender_inbox');
    const seed = testSeed();
    const message = `KRS_TEST_SEED=${seed}`;
    const rule = await makeTopics();
    await produce(rule.topic);
    const { host, port, user, password, name } = database;
    const settings = {
      database: { host, port, user, password, database: name },
      brokers: testEnvironment().kafkaBrokers,
      groupId: uniqueName('krs-proof'),
      topics: [rule],
      ordering,
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 300,
      drainTimeoutMs: 3_000,
      transactionTimeoutMs: 10_000,
      concurrency: 4,
      alwaysFails: ALWAYS_FAILS,
      failsFirst: FAILS_FIRST,
    };
    const spawn = (member: string) =>
      spawnApp(
        'libs/retriable-consumer/proof-consumer.child.ts',
        {},
        { args: [JSON.stringify({ ...settings, member })] },
      );
    const { apps, lines } = await disturb(spawn, seededRandom(seed));
    const living = numbers.filter((number) => !isDead(number));
    try {
      await until('all effects', async () => (await effects()).length >= living.length, DEADLINE_MS);
      const letters = async () => (await readTopic(rule.deadLetterTopic)).map(({ value }) => Number(value));
      const dead = numbers.filter(isDead);
      await until('all dead letters', async () => new Set(await letters()).size === dead.length, DEADLINE_MS);
      for (const app of apps) assert.equal((await app.stop()).code, 0, app.output());
      lines.push(...apps.flatMap(({ log }) => log));
      const all = await effects();
      assert.deepEqual(
        all.map(({ event }) => event).sort((a, b) => a - b),
        living,
        message,
      );
      assert.deepEqual(
        [...new Set(await letters())].sort((a, b) => a - b),
        dead,
        message,
      );
      if (ordering === 'none') assertNeverEarly(lines, message);
      if (ordering === 'key') {
        for (let key = 0; key < KEYS; key += 1) {
          const ofKey = all.filter((effect) => effect.name === `key-${key}`).map(({ event }) => event);
          assert.deepEqual(
            ofKey,
            ofKey.toSorted((a, b) => a - b),
            `key ${key}, ${message}`,
          );
        }
      }
    } finally {
      for (const app of apps) if (app.running) await app.kill();
    }
  });
}
