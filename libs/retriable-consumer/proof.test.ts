/**
 * Members of a group killed and paused at random, another one that comes and goes every few seconds, handlers that fail:
 * every event is handled, and has its effect exactly once by the inbox; no attempt comes before it is due; order per key is
 * kept in the ordering `key`; each dead letter is there, once.
 * As a soak: KRS_PROOF_SECONDS=600 npm test -- libs/retriable-consumer/proof
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { inboxTableSql } from '#inbox';
import { systemClock } from '#runtime';
import {
  type App,
  createTestDatabase,
  createTestTopic,
  readTopic,
  seededRandom,
  spawnApp,
  testEnvironment,
  testKafka,
  testSeed,
  uniqueName,
  until,
} from '#testkit';
import { createRetriableConsumer, type Ordering } from './index.ts';
import { type Attempt, createProofHandler } from './proof-handler.child.ts';

const DISTURBED_MS = Number(process.env.KRS_PROOF_SECONDS ?? 12) * 1_000;
const KEYS = 12;
const ALWAYS_FAILS = 20;
const FAILS_FIRST = 5;
const DELAY_MS = 1_000;
/** Longer than the session timeout: the group goes on without the member, which then wakes up. */
const PAUSE_MS = 7_500;
const RESTLESS_MS = 2_500;
const DEADLINE_MS = 120_000;
const EVENTS_A_SECOND = 25;

const isDead = (number: number): boolean => number % ALWAYS_FAILS === 7;
const closers: (() => Promise<unknown>)[] = [];

after(async () => {
  for (const close of closers.reverse()) await close();
});

interface Scene {
  readonly pool: Pool;
  readonly rule: { readonly topic: string; readonly retryTopic: string; readonly deadLetterTopic: string };
  readonly settings: { readonly groupId: string } & Record<string, unknown>;
  readonly attempts: Attempt[];
  readonly random: () => number;
  readonly spawn: (member: string) => App;
}

async function openScene(ordering: Ordering, seed: number): Promise<Scene> {
  const database = await createTestDatabase({ prefix: 'krs_proof' });
  const { host, port, user, password, name } = database;
  const pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 6 });
  closers.push(
    () => database.drop(),
    () => pool.end(),
  );
  for (const sql of inboxTableSql()) await pool.query(sql);
  // No unique key but the order of insertion: a second effect shows.
  await pool.query(
    'CREATE TABLE effects (n BIGINT AUTO_INCREMENT PRIMARY KEY, event INT NOT NULL, name VARCHAR(9)) ENGINE=InnoDB',
  );
  const topics: string[] = [];
  for (const partitions of [4, 2, 1]) {
    const made = await createTestTopic({ prefix: 'krs-proof', partitions });
    closers.push(() => made.drop());
    topics.push(made.name);
  }
  const [topic = '', retryTopic = '', deadLetterTopic = ''] = topics;
  const rule = { topic, retryTopic, deadLetterTopic, retries: 2, delayMs: DELAY_MS };
  const settings = {
    database: { host, port, user, password, database: name },
    brokers: testEnvironment().kafkaBrokers,
    groupId: uniqueName('krs-proof'),
    topics: [rule],
    ordering,
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 300,
    drainTimeoutMs: 2_000,
    transactionTimeoutMs: 6_000,
    concurrency: 4,
    alwaysFails: ALWAYS_FAILS,
    failsFirst: FAILS_FIRST,
  };
  const spawn = (member: string) => {
    const args = [JSON.stringify({ ...settings, member })];
    return spawnApp('libs/retriable-consumer/proof-consumer.child.ts', {}, { args });
  };
  return { pool, rule, settings, attempts: [], random: seededRandom(seed), spawn };
}

/** Events one second after the other until the signal; resolves with how many there are. */
async function produceUntil({ rule }: Scene, ended: AbortSignal): Promise<number> {
  const producer = testKafka(testEnvironment().kafkaBootstrap).producer();
  await producer.connect();
  let count = 0;
  const message = (i: number) => ({ key: `key-${i % KEYS}`, value: `${i}`, headers: { id: `event-${i}` } });
  while (!ended.aborted) {
    const numbers = Array.from({ length: EVENTS_A_SECOND }, (_, i) => count + i);
    await producer.send({ topic: rule.topic, messages: numbers.map(message) });
    count += EVENTS_A_SECOND;
    await systemClock.sleep(1_000, ended);
  }
  await producer.disconnect();
  return count;
}

/** A member that comes and goes, each time a rebalance for all; resolves with how many there were. */
async function comeAndGo({ settings, pool, attempts }: Scene, ended: AbortSignal): Promise<number> {
  const log = (attempt: Attempt) => void attempts.push(attempt);
  const handler = createProofHandler({ pool, alwaysFails: ALWAYS_FAILS, failsFirst: FAILS_FIRST, log });
  const { database: _database, alwaysFails: _always, failsFirst: _first, ...options } = settings;
  let rebalances = 0;
  while (!ended.aborted) {
    const consumer = createRetriableConsumer({
      ...(options as never as Parameters<typeof createRetriableConsumer>[0]),
      handler,
    });
    await consumer.start();
    await systemClock.sleep(RESTLESS_MS, ended);
    await consumer.stop();
    rebalances += 2;
    await systemClock.sleep(RESTLESS_MS, ended);
  }
  return rebalances;
}

/** Kills one member and pauses another, again and again. Resolves with those alive. */
async function disturb({ spawn, random, attempts }: Scene, ended: AbortSignal): Promise<App[]> {
  const apps = [spawn('a'), spawn('b')];
  const collect = (app: App) =>
    attempts.push(...(app.log.filter(({ msg }) => msg === 'attempt') as unknown as Attempt[]));
  for (let round = 0; !ended.aborted; round += 1) {
    await systemClock.sleep(1_500 + random() * 2_000, ended);
    const slot = random() < 0.5 ? 0 : 1;
    const app = apps[slot] as App;
    if (round % 2 === 0) {
      await app.kill();
      collect(app);
      apps[slot] = spawn(`round ${round}`);
    } else {
      app.pause();
      await systemClock.sleep(PAUSE_MS);
      app.resume();
    }
  }
  return apps;
}

/** Between two attempts at an event lies the delay, whichever members made them; a restart may repeat an attempt. */
function assertNeverEarly(attempts: readonly Attempt[], message: string): void {
  for (const { number, attempt, atMs } of attempts) {
    if (attempt === 0) continue;
    const before = attempts.filter((other) => other.number === number && other.attempt === attempt - 1);
    const first = Math.min(...before.map((other) => other.atMs));
    assert.ok(atMs - first >= DELAY_MS, `event ${number}, attempt ${attempt}, ${message}`);
  }
}

function assertOrderPerKey(
  effects: readonly { readonly event: number; readonly name: string }[],
  message: string,
): void {
  for (let key = 0; key < KEYS; key += 1) {
    const ofKey = effects.filter((effect) => effect.name === `key-${key}`).map(({ event }) => event);
    assert.deepEqual(ofKey, ofKey.toSorted((a, b) => a - b), `key ${key}, ${message}`); // biome-ignore format: one line
  }
}

async function prove(ordering: Ordering): Promise<void> {
  const seed = testSeed();
  const message = `ordering ${ordering}, KRS_TEST_SEED=${seed}`;
  const scene = await openScene(ordering, seed);
  const { pool, rule, attempts } = scene;
  const over = AbortSignal.timeout(DISTURBED_MS);
  const [events, rebalances, apps] = await Promise.all([
    produceUntil(scene, over),
    comeAndGo(scene, over),
    disturb(scene, over),
  ]);
  const numbers = [...Array(events).keys()];
  const living = numbers.filter((number) => !isDead(number));
  const effects = async () => {
    const [rows] = await pool.query<RowDataPacket[]>('SELECT event, name FROM effects ORDER BY n');
    return rows.map(({ event, name }) => ({ event: Number(event), name: String(name) }));
  };
  const letters = async () => (await readTopic(rule.deadLetterTopic)).map(({ value }) => Number(value));
  const dead = numbers.filter(isDead);
  const sorted = (list: readonly number[]) => list.toSorted((a, b) => a - b);
  try {
    await until('all effects', async () => (await effects()).length >= living.length, DEADLINE_MS);
    await until('all dead letters', async () => (await letters()).length >= dead.length, DEADLINE_MS);
    for (const app of apps) assert.equal((await app.stop()).code, 0, app.output());
    attempts.push(...(apps.flatMap(({ log }) => log.filter(({ msg }) => msg === 'attempt')) as unknown as Attempt[]));
    const all = await effects();
    assert.ok(rebalances > 2, message);
    assert.deepEqual(sorted([...new Set(attempts.map(({ number }) => number))]), numbers, message);
    assert.deepEqual(sorted(all.map(({ event }) => event)), living, message);
    assert.deepEqual(sorted(await letters()), dead, message);
    assertNeverEarly(attempts, message);
    if (ordering === 'key') assertOrderPerKey(all, message);
  } finally {
    for (const app of apps) if (app.running) await app.kill();
  }
}

describe('killed, paused, rebalanced', { concurrency: 2 }, () => {
  for (const ordering of ['none', 'key'] satisfies Ordering[]) {
    test(`ordering ${ordering}`, { timeout: DISTURBED_MS + 3 * DEADLINE_MS }, () => prove(ordering));
  }
});
