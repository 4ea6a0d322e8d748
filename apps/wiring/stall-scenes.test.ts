/**
 * Rows that do not move, on real servers: for each kind of stall `/healthz`, log, metrics, webhook, `status` and `doctor` name the
 * same cause, and its end is told. What a broker's or a server's number means is tested without servers; here is what differs by
 * where the fault comes from.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { type Config, loadConfig } from '#config';
import { createPool, type Pool } from '#database';
import { RelayError, type StallCause } from '#runtime';
import {
  type App,
  createDeployment,
  createTestTopic,
  type Deployment,
  type FaultProxy,
  startProxy,
  testEnvironment,
  until,
} from '#testkit';
import { ask, assertTold, DEADLINE_MS, type Scene, type Told } from '../test/stall-told.ts';
import { databaseLockPrefix } from './open-coordination.ts';
import { databaseOptions } from './open-database.ts';
import { poolOperator } from './operator.ts';
import { readStatus, tablesOf } from './read-status.ts';

const SETTINGS = {
  SOURCE_MODE: 'append',
  KAFKA_TOPIC_COLUMN: 'topic',
  REDIS_URL: '',
  LANES: '2',
  HTTP_PORT: '0',
  STALL_AFTER_SECONDS: '1',
  LANE_LEASE: '5',
  DB_CONNECT_TIMEOUT: '3',
  KAFKA_RETRY_BACKOFF_BASE: '0.1',
  KAFKA_RETRY_BACKOFF_MAX: '0.5',
};

let relay: Deployment;
let config: Config;
let pool: Pool;
let kafkaProxy: FaultProxy;
let databaseProxy: FaultProxy;
let run: App;
const told: Told[] = [];
const hook = createServer(async (request, response) => {
  told.push(JSON.parse(await text(request)));
  response.writeHead(204).end();
});

before(async () => {
  const { database, kafkaBrokers } = testEnvironment();
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const [host = '', port] = (kafkaBrokers[0] ?? '').split(':');
  kafkaProxy = await startProxy({ host, port: Number(port) }, { kafka: true });
  databaseProxy = await startProxy({ host: database.host, port: database.port });
  relay = await createDeployment({
    name: 'krs_stalls',
    source: { table: 'orders', keyColumn: 'customer', watermarkColumn: 'id' },
    partitions: 1,
    settings: SETTINGS,
  });
  await relay.query(
    'CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(20), topic VARCHAR(99), note LONGTEXT)',
  );
  await relay.init();
  await createTestTopic({ name: `${relay.name}.small`, partitions: 1, config: { 'max.message.bytes': '1000' } });
  ({ config } = loadConfig({ env: relay.env }));
  pool = createPool(databaseOptions(config, 'test'));
  run = relay.run({
    KAFKA_BOOTSTRAP_SERVERS: `127.0.0.1:${kafkaProxy.port}`,
    DB_PORT: String(databaseProxy.port),
    NOTIFY_WEBHOOK_URL: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`,
  });
  await insert();
  await delivered(1);
});

after(async () => {
  hook.close();
  await pool?.close();
  await relay?.drop();
  await kafkaProxy?.stop();
  await databaseProxy?.stop();
});

let rows = 0;
async function insert(topic: string | null = null, note = ''): Promise<void> {
  await relay.query('INSERT INTO orders (customer, topic, note) VALUES (?, ?, ?)', [`c${rows}`, topic, note]);
  rows += 1;
}

const delivered = (least: number) =>
  until(
    'rows delivered',
    async () => {
      const [found] = await relay.query<{ n: number }>('SELECT COUNT(*) AS n FROM kafka_row_sender_outbox');
      const [moved] = await relay.query<{ n: number }>('SELECT position AS n FROM kafka_row_sender_watermark');
      return Number(found?.n) === 0 && Number(moved?.n ?? 0) >= least;
    },
    DEADLINE_MS,
  );

const away = () => Promise.reject(new RelayError('STOPPED', 'not asked'));

/** As the commands read and judge it, without the start of a process for each. */
async function statusNow() {
  const operator = poolOperator(pool, config);
  return readStatus({ config, operator, lookAtTable: tablesOf(pool), kafka: away, redis: away });
}

const signal = (errno: number) =>
  relay.query(
    `CREATE TRIGGER refuse BEFORE UPDATE ON kafka_row_sender_watermark FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = ${errno}, MESSAGE_TEXT = 'for the test'`,
  );
const byTrigger = (cause: StallCause, errno: number): Scene => ({
  ...{ cause, part: /^source orders$/, healthz: 503 },
  make: async () => {
    await signal(errno);
    await insert();
  },
  mend: () => relay.query('DROP TRIGGER refuse'),
});

const setLanes = (state: string) =>
  relay.query('UPDATE kafka_row_sender_lane SET state = ?, why = ?, holder = NULL', [state, 'for the test']);
const held = async () => (await relay.query('SELECT 1 FROM kafka_row_sender_lane WHERE holder IS NOT NULL')).length;
const holding = () => run.log.findLast(({ event }) => event === 'members')?.held;

/** Resolves when the sender, which held both lanes, has noticed. */
async function stopLanes(state: string): Promise<void> {
  await until('both lanes are held', async () => (await held()) === 2, DEADLINE_MS);
  await until('it says so', () => holding() === 2, DEADLINE_MS);
  await setLanes(state);
  await until('nobody delivers', () => holding() === 0, DEADLINE_MS);
}

const byLanes = (cause: StallCause, state: string): Scene => ({
  ...{ cause, part: /^lane \d$/, healthz: 200 },
  isToldOtherwise: state === 'halted',
  make: async () => {
    await stopLanes(state);
    await insert();
  },
  mend: () => setLanes('running'),
});

const SCENES: readonly Scene[] = [
  {
    ...{ cause: 'kafka-unreachable', part: /^sender$/, healthz: 503 },
    make: async () => {
      kafkaProxy.cut();
      await insert();
    },
    mend: () => kafkaProxy.pass(),
  },
  {
    ...{ cause: 'topic-missing', part: /^topic .*\.late$/, healthz: null },
    make: async () => {
      await insert(`${relay.name}.late`);
      await insert();
    },
    mend: () => createTestTopic({ name: `${relay.name}.late`, partitions: 1 }),
  },
  {
    ...{ cause: 'row-refused', part: /^rows set aside$/, healthz: 200 },
    make: () => insert(`${relay.name}.small`, 'x'.repeat(5_000)),
    mend: () => relay.query('DELETE FROM kafka_row_sender_dead_letter'),
  },
  byLanes('lane-paused', 'paused'),
  byLanes('lane-halted', 'halted'),
  byTrigger('database-read-only', 1290),
  byTrigger('database-full', 1114),
  byTrigger('database-error', 4999),
  {
    ...{ cause: 'database-busy', part: /^source orders$/, healthz: 503 },
    make: async () => {
      await relay.query('BEGIN');
      await relay.query('SELECT 1 FROM kafka_row_sender_watermark FOR UPDATE');
      await pool.run("INSERT INTO orders (customer) VALUES ('behind a lock')");
      rows += 1;
    },
    mend: () => relay.query('ROLLBACK'),
  },
  {
    ...{ cause: 'database-unreachable', part: /^source orders$/, healthz: 503, isAsked: false },
    make: async () => {
      databaseProxy.cut();
      await insert();
    },
    mend: () => databaseProxy.pass(),
  },
];

for (const scene of SCENES) {
  test(`${scene.cause}: health, log, metrics, webhook, status and doctor name it, and its end`, async () => {
    const before = run.log.length;
    try {
      await scene.make();
      await assertTold(run, { told, statusNow }, scene);
    } finally {
      await scene.mend();
    }
    await until(
      'flowing',
      () => run.log.slice(before).some(({ event, cause }) => event === 'flowing' && cause === scene.cause),
      DEADLINE_MS,
    );
    await until('health', async () => (await ask(run, '/healthz')).status === 200, DEADLINE_MS);
    if (scene.isToldOtherwise) return;
    await until(
      'recovered',
      () => told.some(({ kind, part = '' }) => kind === 'recovered' && scene.part.test(part)),
      DEADLINE_MS,
    );
  });
}

/** As a writer that was stopped in its term has it. */
const LOCK = "CONCAT('krs:', SHA2(CONCAT_WS('|', DATABASE(), ?, 'orders'), 224))";

test('no-leader and no-sender: a standby tells that another has the lock and does not live, and that nobody delivers', async () => {
  await stopLanes('paused');
  await insert();
  await until(
    'it is moved',
    async () => (await relay.query('SELECT 1 FROM kafka_row_sender_outbox')).length > 0,
    DEADLINE_MS,
  );
  await relay.stopAll();
  await setLanes('running');
  const prefix = databaseLockPrefix(config);
  assert.deepEqual(await relay.query(`SELECT GET_LOCK(${LOCK}, 5) AS got`, [prefix]), [{ got: 1 }]);
  await insert();
  const standby = relay.writer({ NOTIFY_WEBHOOK_URL: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/` });
  const scene = { make: async () => undefined, mend: () => undefined };
  try {
    await assertTold(
      standby,
      { told, statusNow },
      { ...scene, cause: 'no-leader', part: /^source orders$/, healthz: 503 },
    );
    await assertTold(standby, { told, statusNow }, { ...scene, cause: 'no-sender', part: /^senders$/, healthz: 503 });
    const { output } = await relay.cli('status');
    assert.match(output, /^stalled {2}source orders: .*: no-leader: /m);
  } finally {
    await relay.query(`SELECT RELEASE_LOCK(${LOCK})`, [prefix]);
  }
  relay.sender();
  await delivered(rows);
  await until('health', async () => (await ask(standby, '/healthz')).status === 200, DEADLINE_MS);
});
