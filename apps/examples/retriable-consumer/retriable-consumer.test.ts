/** The example as a user starts it: an order is handled, one is retried until it can be, one is a dead letter. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import {
  createTestDatabase,
  readTopic,
  spawnApp,
  type TestDatabase,
  testEnvironment,
  testKafka,
  uniqueName,
  until,
} from '#testkit';

const DEADLINE_MS = 60_000;
const topic = uniqueName('krs-example');
let database: TestDatabase;
let db: Connection;
let env: Record<string, string>;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_example' });
  const { host, port, user, password, name } = database;
  db = await mysql.createConnection({ host, port, user, password, database: name });
  env = {
    KAFKA_ROW_SENDER_DB_HOST: host,
    KAFKA_ROW_SENDER_DB_PORT: String(port),
    KAFKA_ROW_SENDER_DB_USER: user,
    KAFKA_ROW_SENDER_DB_PASSWORD: password,
    KAFKA_ROW_SENDER_DB_NAME: name,
    KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: testEnvironment().kafkaBootstrap,
    EXAMPLE_TOPIC: topic,
    EXAMPLE_DELAY_MS: '1000',
  };
});

after(async () => {
  await db?.end();
  await database?.drop();
  const admin = testKafka(testEnvironment().kafkaBootstrap).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic, `${topic}.retry`, `${topic}.dead`] });
  await admin.disconnect();
});

async function balanceOf(name: string): Promise<number | null> {
  const [rows] = await db.query<RowDataPacket[]>('SELECT balance FROM account WHERE name = ?', [name]);
  return rows[0] === undefined ? null : Number(rows[0].balance);
}

test('handled, retried, buried, stopped', { timeout: 3 * DEADLINE_MS }, async () => {
  const orders = spawnApp('apps/examples/retriable-consumer/setup.ts', env);
  assert.equal((await orders.exit).code, 0, orders.output());
  await db.query('CREATE TABLE account (name VARCHAR(64) PRIMARY KEY, balance BIGINT NOT NULL) ENGINE=InnoDB');
  await db.query("INSERT INTO account VALUES ('ann', 100)");
  const app = spawnApp('apps/examples/retriable-consumer/main.ts', env);
  try {
    await until('the order of ann', async () => (await balanceOf('ann')) === 105, DEADLINE_MS);
    await app.waitForLog(({ msg }) => String(msg).startsWith('attempt failed; again'), DEADLINE_MS);
    await db.query("INSERT INTO account VALUES ('later', 0)");
    await until('the retried order', async () => (await balanceOf('later')) === 7, DEADLINE_MS);
    await until('the dead letter', async () => (await readTopic(`${topic}.dead`)).length === 1, DEADLINE_MS);
    const [letter] = await readTopic(`${topic}.dead`);
    assert.equal(letter?.headers.kafka_row_sender_dead_letter_error_class, 'InvalidOrder');
    assert.equal((await app.stop()).code, 0, app.output());
    assert.equal(await balanceOf('ann'), 105);
  } finally {
    if (app.running) await app.kill();
  }
});
