/**
 * The commands and settings of docker-compose.yml, run as processes on this machine with the user and the grants of
 * deploy/mariadb/init.sql: init, two writers and two senders deliver every row exactly once and stop cleanly.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import {
  type App,
  assertContiguousIds,
  assertOrderPerKey,
  createTestDatabase,
  readTopic,
  spawnApp,
  type TestDatabase,
  type TopicRecord,
  testEnvironment,
  testKafka,
  uniqueName,
  until,
} from '#testkit';
import { environmentOf, type LocalWorld, localService } from './local-service.ts';
import { readCompose } from './read-compose.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const FILE = readCompose(join(REPOSITORY, 'docker-compose.yml'));
const SENDERS = 2;
const BATCHES = 20;
const ROWS_A_BATCH = 20;
const ROWS = BATCHES * ROWS_A_BATCH;
const CUSTOMERS = 17;
const START_DEADLINE_MS = 60_000;
const DELIVERY_DEADLINE_MS = 120_000;
const INIT_DEADLINE_MS = 120_000;

const run = promisify(execFile);
const apps: App[] = [];
const user = uniqueName('relay');
const topic = uniqueName('orders');
const prefix = uniqueName('krs-compose');
let database: TestDatabase;
let world: LocalWorld;

/** deploy/mariadb/init.sql with names of this run's own. */
function bootstrapStatements(): readonly string[] {
  const { KAFKA_ROW_SENDER_DB_NAME: name, KAFKA_ROW_SENDER_DB_USER: relay } = environmentOf(FILE, 'writer');
  return readFileSync(join(REPOSITORY, 'deploy/mariadb/init.sql'), 'utf8')
    .replaceAll(/^--.*$/gm, '')
    .replaceAll(`\`${name}\``, `\`${database.name}\``)
    .replaceAll(`'${relay}'@`, `'${user}'@`)
    .split(/;\s*\n/)
    .filter((statement) => statement.trim() !== '');
}

async function asApplication<T>(work: (connection: mysql.Connection) => Promise<T>): Promise<T> {
  const { host, port, user: owner, password } = testEnvironment().database;
  const connection = await mysql.createConnection({ host, port, user: owner, password });
  try {
    return await work(connection);
  } finally {
    await connection.end();
  }
}

function start(service: string): App {
  const { entry, args, env } = localService(FILE, service, world);
  const app = spawnApp(entry, env, { args });
  apps.push(app);
  return app;
}

/** Runs the image's health check against a process, as the engine does in the container. */
async function isHealthy(app: App): Promise<boolean> {
  const { port } = await app.waitForLog((line) => typeof line.port === 'number', START_DEADLINE_MS, 'its HTTP port');
  const env = { PATH: process.env.PATH, KAFKA_ROW_SENDER_HTTP_PORT: String(port) };
  return await run(process.execPath, [join(REPOSITORY, 'deploy/docker/healthcheck.mjs')], { env }).then(
    () => true,
    () => false,
  );
}

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_compose' });
  await asApplication(async (connection) => {
    for (const statement of bootstrapStatements()) await connection.query(statement);
  });
  const { database: address, redisUrl, kafkaBootstrap } = testEnvironment();
  world = {
    database: { host: address.host, port: address.port, name: database.name, user },
    kafkaBootstrap,
    redisUrl,
    topic,
    prefix,
    repository: REPOSITORY,
  };
});

after(async () => {
  for (const app of apps) if (app.running) await app.kill();
  await asApplication((connection) => connection.query(`DROP USER IF EXISTS '${user}'@'%'`));
  await database.drop();
  const admin = testKafka(testEnvironment().kafkaBootstrap).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic, `${prefix}.markers`] }).catch(() => undefined);
  await admin.deleteGroups([`${prefix}.kafka_row_sender_outbox`]).catch(() => undefined);
  await admin.disconnect();
});

async function initialise(): Promise<string> {
  const init = start('init');
  const deadline = setTimeout(() => void init.kill(), INIT_DEADLINE_MS);
  const { code } = await init.exit;
  clearTimeout(deadline);
  assert.equal(code, 0, init.output());
  return init.output();
}

test('init makes tables and topics with the grants of init.sql, and does no harm when it runs again', async () => {
  assert.match(await initialise(), new RegExp(`topic created: ${topic}`));
  assert.match(await initialise(), /tables already there/);
});

async function insertOrders(): Promise<void> {
  const table = `\`${database.name}\`.\`${environmentOf(FILE, 'writer').KAFKA_ROW_SENDER_SOURCE_TABLE}\``;
  await asApplication(async (connection) => {
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const rows = Array.from({ length: ROWS_A_BATCH }, (_, row) => [
        (batch * ROWS_A_BATCH + row) % CUSTOMERS,
        `tea ${batch}/${row} 🫖`,
        '12.50',
      ]);
      await connection.query(`INSERT INTO ${table} (customer_id, product, amount) VALUES ?`, [rows]);
    }
  });
}

async function isOutboxEmpty(): Promise<boolean> {
  const sql = `SELECT 1 FROM \`${database.name}\`.kafka_row_sender_outbox LIMIT 1`;
  const [rows] = await asApplication((connection) => connection.query<mysql.RowDataPacket[]>(sql));
  return rows.length === 0;
}

/** Each order once, in order of its customer, with the values and headers that were promised. */
function checkOrders(records: readonly TopicRecord[]): void {
  const orders = records.map(({ key, value, headers }) => ({
    key,
    headers,
    json: String(value),
    row: JSON.parse(String(value)) as { WatermarkId: number; customer_id: number; product: string },
  }));
  const idOf = ({ row }: (typeof orders)[number]) => row.WatermarkId;
  assertContiguousIds(orders.map(idOf), 1, ROWS);
  assertOrderPerKey(orders, ({ key }) => key, idOf);
  for (const { key, json, row, headers } of orders) {
    assert.equal(key, String(row.customer_id));
    assert.equal(headers.id, `orders:${row.WatermarkId}`);
    assert.match(row.product, /^tea \d+\/\d+ 🫖$/);
    assert.match(json, /"amount":12\.50[,}]/);
  }
}

test('two writers and two senders deliver every row exactly once, and SIGTERM ends them all with 0', async () => {
  const writers = Array.from({ length: FILE.services.writer?.deploy?.replicas ?? 1 }, () => start('writer'));
  const all = [...writers, ...Array.from({ length: SENDERS }, () => start('sender'))];
  const areHealthy = async () => (await Promise.all(all.map(isHealthy))).every(Boolean);
  await until('all health checks pass', areHealthy, START_DEADLINE_MS);
  await insertOrders();
  await until(
    `${ROWS} rows in ${topic}`,
    async () => {
      for (const app of all) assert.ok(app.running, app.output());
      return (await readTopic(topic)).length >= ROWS;
    },
    DELIVERY_DEADLINE_MS,
  );
  await until('the outbox is emptied behind delivery', isOutboxEmpty, DELIVERY_DEADLINE_MS);
  const ends = await Promise.all(all.map((app) => app.stop()));
  for (const [index, { code }] of ends.entries()) assert.equal(code, 0, all[index]?.output());

  // Read again now that nobody can add anything: a duplicate that came late would show.
  checkOrders(await readTopic(topic));
  const proofs = writers.flatMap(({ log }) => log).filter((line) => line.gapMode !== undefined);
  assert.ok(proofs.length > 0, 'no writer has said its gap mode');
  for (const { gapMode, reason } of proofs)
    assert.equal(gapMode, 'transactions', `the grants do not suffice: ${reason}`);
});
