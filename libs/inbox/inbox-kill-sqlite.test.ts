/** As inbox-kill.test.ts, with the inbox and the effects in an SQLite file: killed at random, each effect exactly once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import {
  type App,
  createTestTopic,
  seededRandom,
  spawnApp,
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
const KILLS = 2;
const DEADLINE_MS = 90_000;

const folder = mkdtempSync(join(tmpdir(), 'krs-inbox-kill-'));
const file = join(folder, 'app.db');
const db = new DatabaseSync(file, { timeout: 5_000 });
let topic: TestTopic;

before(async () => {
  topic = await createTestTopic({ prefix: 'krs-inbox', partitions: 2 });
  db.exec('PRAGMA journal_mode = WAL');
  for (const sql of inboxTableSql({ dialect: 'sqlite' })) db.exec(sql);
  // No unique key: a second effect shows.
  db.exec('CREATE TABLE effects (event TEXT NOT NULL)');
});

after(async () => {
  db.close();
  await topic?.drop();
  rmSync(folder, { recursive: true });
});

function spawnConsumer(groupId: string, crashAt?: string): App {
  const settings = { bootstrap: testEnvironment().kafkaBootstrap, topic: topic.name, groupId, file };
  const env = crashAt === undefined ? {} : { KRS_CRASH_AT: crashAt };
  return spawnApp('libs/inbox/inbox-consumer-sqlite.child.ts', env, { args: [JSON.stringify(settings)] });
}

const effects = () => {
  const row = db.prepare('SELECT COUNT(*) AS n, COUNT(DISTINCT event) AS d FROM effects').get();
  return { all: row?.n, distinct: row?.d };
};

test('a consumer killed at random, on SQLite: each effect exactly once', { timeout: 4 * DEADLINE_MS }, async () => {
  const seed = testSeed();
  const random = seededRandom(seed);
  const groupId = uniqueName('krs-inbox');
  const producer = testKafka(testEnvironment().kafkaBootstrap).producer();
  await producer.connect();
  const message = (i: number) => ({ key: `${i % 7}`, value: `${i}`, headers: { id: `event-${i}` } });
  const messages = [...Array(EVENTS).keys(), ...Array(SENT_TWICE).keys()].map(message);
  await producer.send({ topic: topic.name, messages });
  await producer.disconnect();
  for (const place of ['inbox-before-commit', 'inbox-after-commit']) {
    const app = spawnConsumer(groupId, `${place}:${1 + Math.floor(random() * 50)}`);
    assert.equal((await app.exit).signal, 'SIGKILL', `${place}, KRS_TEST_SEED=${seed}: ${app.output()}`);
  }
  for (let kill = 0; kill < KILLS; kill += 1) {
    const app = spawnConsumer(groupId);
    const wanted = Math.floor(random() * 80);
    await app.waitForLog(() => app.log.length > wanted, DEADLINE_MS, `${wanted} lines`);
    await app.kill();
  }
  const last = spawnConsumer(groupId);
  try {
    await until('all effects', () => effects().distinct === EVENTS, DEADLINE_MS);
    // The events sent twice are the last: at least those are found to be duplicates once all is read.
    const duplicates = () => last.log.filter(({ msg }) => msg === 'duplicate').length;
    await until('the end', () => duplicates() >= SENT_TWICE, DEADLINE_MS);
    assert.deepEqual(effects(), { all: EVENTS, distinct: EVENTS }, `KRS_TEST_SEED=${seed}`);
    assert.equal(db.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
  } finally {
    await last.stop();
  }
});
