/**
 * The same rows of one outbox table, sent by Debezium's connector and by the relay: key, value, headers, topic and partition
 * agree. Debezium reads the server's log, so that the rows are still there for the relay, which deletes them. On a MariaDB with such
 * a log, started for this; or, with the MySQL connector, on the test server itself when that is a MySQL.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { OutboxRepository, outboxTableSql } from '#application-outbox';
import { detectEngine } from '#database';
import {
  type ConnectServer,
  createDeployment,
  createTestTopic,
  type Deployment,
  failOnLeaks,
  type MariadbServer,
  readTopic,
  startConnect,
  startMariadb,
  type TopicRecord,
  testEnvironment,
  until,
} from '#testkit';

const DEPLOY = join(import.meta.dirname, '..', '..', 'deploy', 'debezium');
const WAIT_MS = 60_000;
const PARTITIONS = 3;
/** The relay's own, beside those that both set. */
const RELAY_HEADERS = ['outbox-id', 'source', 'lane', 'content-type'];

let mariadb: MariadbServer | null = null;
let kind: 'mariadb' | 'mysql';
let connect: ConnectServer;
let relay: Deployment;

before(async () => {
  const { kafkaBootstrap, database: given } = testEnvironment();
  kind = await givenKind();
  const log = ['--log-bin=binlog', '--binlog-format=ROW', '--binlog-row-image=FULL', '--server-id=7'];
  [mariadb, connect] = await Promise.all([
    kind === 'mariadb' ? startMariadb({ args: log, bufferPoolMb: 64 }) : null,
    startConnect({ bootstrap: kafkaBootstrap, workerFile: join(DEPLOY, 'worker.properties'), connector: kind }),
  ]);
  relay = await createDeployment({
    name: 'krs_debezium',
    servers: { database: mariadb ?? given, redisUrl: null, kafkaBootstrap },
    source: { table: 'outboxevent', keyColumn: 'aggregateid', watermarkColumn: 'seq' },
    // As the connector's configuration places them.
    settings: { SOURCE_MODE: 'consume', SOURCE_EVENT_HEADERS: 'type,correlationid', KAFKA_TOPIC: '' },
  });
});

after(async () => {
  await connect?.stop();
  await relay?.drop();
  await mariadb?.stop();
});
failOnLeaks();

/** What the test server is: MySQL from version 8 writes such a log unless it is told not to. */
async function givenKind(): Promise<'mariadb' | 'mysql'> {
  const connection = await mysql.createConnection({ ...testEnvironment().database });
  const { kind } = await detectEngine({
    query: async (sql) => (await connection.query<mysql.RowDataPacket[]>(sql))[0],
  });
  await connection.end();
  return kind === 'mysql' ? 'mysql' : 'mariadb';
}

/** What Debezium has no setting for is left out: an event's own topic, key and headers. */
async function addEvents(connection: mysql.Connection, aggregateType: string, from: number): Promise<void> {
  const json = new OutboxRepository();
  const bytes = new OutboxRepository({
    formatter: { format: ({ payload }) => ({ value: payload as Uint8Array, headers: {} }) },
  });
  await connection.beginTransaction();
  for (let n = from; n < from + 10; n += 1) {
    const event = { type: 'Placed', aggregateType, aggregateId: `ключ-${n % 4}`, correlationId: `process ${n}` };
    await json.add(connection, { ...event, payload: { n, text: 'ünïcode "quoted"', none: null, big: 0.1 } });
  }
  const plain = { type: 'Plain', aggregateType, aggregateId: 'k', correlationId: 'c' };
  await bytes.add(connection, { ...plain, payload: Buffer.from([0, 0, 0, 0, 9, 255, 254, 128]) });
  await json.add(connection, { ...plain, payload: null });
  await json.add(connection, { ...plain, id: `own id ${from}`, payload: 'a text' });
  await connection.commit();
}

const EVENTS = 26;

async function recordsOf(topic: string): Promise<readonly TopicRecord[]> {
  const records = await readTopic(topic);
  return records.length < EVENTS ? [] : records;
}

const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** In the order of each key: keys of one partition may take turns otherwise, as they lie in several lanes. */
const comparable = (records: readonly TopicRecord[], without: readonly string[]) =>
  records
    .toSorted((a, b) => a.partition - b.partition || compareText(a.key ?? '', b.key ?? ''))
    .map(({ partition, key, value, headers }) => ({
      partition,
      key,
      value: value?.toString('base64') ?? null,
      headers: Object.fromEntries(
        Object.entries(headers)
          .filter(([name]) => !without.includes(name))
          .sort(([a], [b]) => compareText(a, b)),
      ),
    }));

test('Debezium’s outbox event router and the relay make the same records of the same rows', async () => {
  const { name, host, port, user, password } = relay.database;
  const connection = await mysql.createConnection({ host, port, user, password, database: name });
  for (const sql of outboxTableSql()) await connection.query(sql);
  const aggregateType = name;
  const topic = `outbox.event.${aggregateType}`;
  const first = await createTestTopic({ name: topic, partitions: PARTITIONS });
  await addEvents(connection, aggregateType, 0);

  const file = JSON.parse(readFileSync(join(DEPLOY, `connector-${kind}.json`), 'utf8'));
  await connect.create({
    name: 'outbox',
    config: {
      ...file.config,
      'database.hostname': host,
      'database.port': String(port),
      'database.user': user,
      'database.password': password,
      'topic.prefix': name,
      'database.include.list': name,
      'table.include.list': `${name}.outboxevent`,
      'schema.history.internal.kafka.bootstrap.servers': testEnvironment().kafkaBootstrap,
      'schema.history.internal.kafka.topic': `${name}.history`,
    },
  });
  const running = async () => {
    const state = await connect.state('outbox');
    assert.ok(!state.includes('Exception'), state);
    return state === 'RUNNING';
  };
  await until('a running connector', running, WAIT_MS);
  await until('its first records', async () => (await readTopic(topic)).length > 0, WAIT_MS);
  // The first events were there for its snapshot, these come by the log.
  await addEvents(connection, aggregateType, 10);
  await until('all of its records', async () => (await recordsOf(topic)).length === EVENTS, WAIT_MS);
  const debezium = comparable(await readTopic(topic), []);
  await connect.stop();
  await first.drop();

  await createTestTopic({ name: topic, partitions: PARTITIONS });
  await relay.init();
  const run = relay.run();
  await until('all of our records', async () => (await recordsOf(topic)).length === EVENTS, WAIT_MS);
  const ours = comparable(await readTopic(topic), RELAY_HEADERS);
  assert.deepEqual(ours, debezium);
  assert.equal(new Set(ours.map(({ partition }) => partition)).size > 1, true, 'keys are spread');
  const left = await relay.query('SELECT id FROM outboxevent');
  assert.deepEqual(left, []);
  assert.ok(run.running);
  await connection.end();
  await relay.stopAll();
});
