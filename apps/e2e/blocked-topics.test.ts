/**
 * Topics and partitions that take nothing, with the real relay and three brokers: a partition without a leader, too few in-sync
 * replicas, a topic that is not there. The others go on, also after a take-over, and every row arrives once and in order.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { murmur2 } from '#outbox';
import {
  type App,
  createTestDatabase,
  type KafkaServer,
  readTopic,
  spawnApp,
  startKafka,
  type TestDatabase,
  testKafka,
  until,
} from '#testkit';
import { type CliEnvironment, runCli } from '../test/cli-world.ts';

const DEADLINE_MS = 120_000;
const KEYS = Array.from({ length: 12 }, (_, at) => `key-${at}`);
/** `lone`: partition 0 on broker 3 alone, partition 1 on broker 1. `thin`: needs the replicas on brokers 1 and 3. */
const TOPICS = ['calm', 'lone', 'thin', 'later'] as const;

let kafka: KafkaServer;
let database: TestDatabase;
let db: mysql.Connection;
let env: CliEnvironment;
let relay: App | null = null;
let rows = 0;

before(async () => {
  [kafka, database] = await Promise.all([startKafka({ nodes: 3, heapMb: 256 }), createTestDatabase({ prefix: 'krs_blocked' })]); // biome-ignore format: one line
  const { host, port, user, password, name } = database;
  db = await mysql.createConnection({ host, port, user, password, database: name });
  await db.query('CREATE TABLE events (id BIGINT AUTO_INCREMENT PRIMARY KEY, k VARCHAR(40), n INT, dest VARCHAR(40))');
  env = {
    KAFKA_ROW_SENDER_DB_HOST: host,
    KAFKA_ROW_SENDER_DB_PORT: String(port),
    KAFKA_ROW_SENDER_DB_USER: user,
    KAFKA_ROW_SENDER_DB_PASSWORD: password,
    KAFKA_ROW_SENDER_DB_NAME: name,
    KAFKA_ROW_SENDER_SOURCE_TABLE: 'events',
    KAFKA_ROW_SENDER_SOURCE_WATERMARK_COLUMN: 'id',
    KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN: 'k',
    KAFKA_ROW_SENDER_KAFKA_TOPIC: 'calm',
    KAFKA_ROW_SENDER_KAFKA_TOPIC_COLUMN: 'dest',
    KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrap,
    KAFKA_ROW_SENDER_KAFKA_TRANSACTIONAL_ID_PREFIX: 'blocked',
    KAFKA_ROW_SENDER_LANES: '2',
    KAFKA_ROW_SENDER_LANE_LEASE: '6',
    KAFKA_ROW_SENDER_KAFKA_RETRY_BACKOFF_MAX: '2',
  };
  await createTopics();
  const { code, stderr } = await runCli(['init'], env);
  assert.equal(code, 0, stderr);
});

after(async () => {
  await relay?.stop();
  await db?.end();
  await database?.drop();
  await kafka?.stop();
});

async function createTopics(): Promise<void> {
  const admin = testKafka(kafka.bootstrap).admin();
  await admin.connect();
  const on = (partition: number, ...replicas: number[]) => ({ partition, replicas });
  const minimum = (count: number) => [{ name: 'min.insync.replicas', value: String(count) }];
  await admin.createTopics({
    topics: [
      { topic: 'calm', numPartitions: 2, replicationFactor: 3, configEntries: minimum(2) },
      { topic: 'lone', replicaAssignment: [on(0, 3), on(1, 1)], configEntries: minimum(1) },
      { topic: 'thin', replicaAssignment: [on(0, 1, 3)], configEntries: minimum(2) },
    ],
  });
  await admin.disconnect();
}

/** As many of each topic, mixed, and calm ones last. */
async function insert(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const values = [...TOPICS, 'calm'].flatMap((dest) =>
      KEYS.map((key) => {
        rows += 1;
        return [key, rows, dest];
      }),
    );
    await db.query('INSERT INTO events (k, n, dest) VALUES ?', [values]);
  }
}

const countRows = async (sql: string): Promise<number> => {
  const [found] = await db.query<mysql.RowDataPacket[]>(sql);
  return Number(found[0]?.n);
};

/** Rows that can go have left the outbox, and every one of the topic is in the table by then. */
const flows = (topic: string, key: string) => async () => {
  const moved = await countRows(
    `SELECT COUNT(*) = ${rows} AS n FROM events e WHERE e.id <= (SELECT position FROM kafka_row_sender_watermark)`,
  );
  const waiting = await countRows(
    `SELECT COUNT(*) AS n FROM kafka_row_sender_outbox WHERE topic = '${topic}' AND record_key IN (${key})`,
  );
  return moved === 1 && waiting === 0;
};

const ALL = KEYS.map((key) => `'${key}'`).join();
const keysOf = (partition: number) =>
  KEYS.filter((key) => (murmur2(Buffer.from(key)) & 0x7fffffff) % 2 === partition)
    .map((key) => `'${key}'`)
    .join();

async function everythingElseFlows(what: string): Promise<void> {
  await until(`calm rows ${what}`, flows('calm', ALL), DEADLINE_MS);
  await until(`rows of the other partition ${what}`, flows('lone', keysOf(1)), DEADLINE_MS);
}

const start = () => {
  relay = spawnApp('apps/cli/main.ts', { ...env, KAFKA_ROW_SENDER_INSTANCE_ID: `relay-${rows}` }, { args: ['run'] });
};

test('a topic or partition that takes nothing stops no other one, also after a take-over (I4, I5, I8)', {
  timeout: 4 * DEADLINE_MS,
}, async (t) => {
  start();
  await insert(4);
  await everythingElseFlows('with a topic missing');
  await insert(4);
  await kafka.nodes[2]?.kill();
  await insert(20);
  const sinceMs = Date.now();
  await everythingElseFlows('with a broker killed under load');
  t.diagnostic(`flows ${Date.now() - sinceMs} ms after its death`);
  await relay?.kill();
  await insert(10);
  start();
  await everythingElseFlows('after a take-over');
  t.diagnostic(`${await countRows('SELECT COUNT(*) AS n FROM kafka_row_sender_dead_letter')} rows wait`);
  const status = await runCli(['status'], env);
  assert.equal(status.code, 0, status.stderr);
  assert.match(
    status.stdout,
    /^partition 0 of topic lone takes nothing \(.*\): \d+ rows wait aside.*; bring back the broker/m,
  );
  assert.match(status.stdout, /^partition 0 of topic thin takes nothing \(.*NOT_ENOUGH_REPLICAS\)/m);
  assert.match(status.stdout, /^topic later takes nothing \(KAFKA_TOPIC_MISSING.*create the topic/m);
  assert.doesNotMatch(status.stdout, /lapsed|HALTED/);
  assert.equal(await countRows("SELECT COUNT(*) AS n FROM kafka_row_sender_dead_letter WHERE attempts > 0 OR state <> 'waiting'"), 0); // biome-ignore format: one line
  await kafka.nodes[2]?.restart();
  const admin = testKafka(kafka.bootstrap).admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: false,
    topics: [{ topic: 'later', numPartitions: 3, replicationFactor: 1 }],
  });
  await admin.disconnect();
  const left =
    'SELECT (SELECT COUNT(*) FROM kafka_row_sender_outbox) + (SELECT COUNT(*) FROM kafka_row_sender_dead_letter) AS n';
  await until('every row', async () => (await countRows(left)) === 0, DEADLINE_MS);
  for (const topic of TOPICS) await onceAndInOrder(topic);
});

async function onceAndInOrder(topic: string): Promise<void> {
  const records = await readTopic(topic, { bootstrap: kafka.bootstrap });
  const numbers = records.map(({ key, value }) => ({ key, n: JSON.parse(String(value)).n as number }));
  assert.equal(numbers.length, await countRows(`SELECT COUNT(*) AS n FROM events WHERE dest = '${topic}'`), topic);
  assert.equal(new Set(numbers.map(({ n }) => n)).size, numbers.length, `${topic}: doubled`);
  for (const key of KEYS) {
    const theirs = numbers.filter((each) => each.key === key).map(({ n }) => n);
    assert.deepEqual(theirs, theirs.toSorted((a, b) => a - b), `${topic}, ${key}`); // biome-ignore format: one line
  }
}
