/**
 * Mode `consume` on real servers: events that an application adds in its transactions, with writers that are killed at every
 * step of a move. Each committed event is in its topic once (I1, I2, I4), in the order of its key (I5), and gone from the table.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { OutboxRepository } from '#application-outbox';
import {
  type App,
  createDeployment,
  createTestTopic,
  type Deployment,
  failOnLeaks,
  readTopic,
  seededRandom,
  spawnApp,
  until,
} from '#testkit';

const CONNECTIONS = 4;
const ROUNDS = 120;
const KEYS = 3;
const WAIT_MS = 60_000;
/** Between reading and committing, and right after: with each, a writer dies at the third batch it moves. */
const CRASH_POINTS = [
  'writer-before-append',
  'writer-after-cas',
  'writer-after-take-out',
  'writer-before-commit',
  'writer-after-append',
];

let relay: Deployment;
let outbox: OutboxRepository;

before(async () => {
  relay = await createDeployment({
    name: 'krs_consume',
    source: { table: 'outboxevent', keyColumn: 'aggregateid', watermarkColumn: 'seq' },
    settings: {
      SOURCE_MODE: 'consume',
      KAFKA_TOPIC: '',
      REDIS_URL: '',
      SOURCE_ARCHIVE_TABLE: 'outboxevent_archive',
      OUTBOX_WRITER_BATCH_SIZE: '7',
      LANES: '4',
    },
  });
  const { env } = relay as { env: Record<string, string> };
  env.KAFKA_ROW_SENDER_SOURCE_EVENT_TOPIC_PREFIX = `${relay.name}.`;
  const { code, output } = await relay.cli('init', '--event-tables', '--wait', '30');
  assert.equal(code, 0, output);
  assert.match(output, /event table created: outboxevent\nevent table created: outboxevent_archive/);
  for (const type of ['order', 'user']) await createTestTopic({ name: `${relay.name}.${type}`, partitions: 3 });
  const check = await relay.cli('config', 'check');
  assert.equal(check.code, 0, check.output);
  outbox = new OutboxRepository();
});

after(async () => {
  await relay?.drop();
});
failOnLeaks();

const connect = async () => {
  const { host, port, user, password, name } = relay.database;
  return mysql.createConnection({ host, port, user, password, database: name });
};

interface Added {
  readonly id: string;
  readonly key: string;
  readonly type: string;
}

/** Transactions of one to three events; some roll back, some stay open while others commit. Keys are this connection's own. */
async function application(
  name: string,
  seed: number,
  committed: Added[],
  progress: { rounds: number },
): Promise<void> {
  const random = seededRandom(seed);
  const connection = await connect();
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const mine: Added[] = [];
      await connection.beginTransaction();
      for (let n = 0; n <= random() * 3; n += 1) {
        const key = `${name}-${Math.floor(random() * KEYS)}`;
        const aggregateType = random() < 0.5 ? 'order' : 'user';
        const event = { type: 'Changed', aggregateType, aggregateId: key, payload: { name, round, n } };
        mine.push({ id: (await outbox.add(connection, event)).id, key, type: aggregateType });
      }
      if (random() < 0.1) await new Promise((resolve) => setTimeout(resolve, 200));
      if (random() < 0.15) await connection.rollback();
      else {
        await connection.commit();
        committed.push(...mine);
      }
      progress.rounds += 1;
    }
  } finally {
    await connection.end();
  }
}

const eventsLeft = async (): Promise<number> => {
  const [row] = await relay.query<{ n: number }>('SELECT COUNT(*) AS n FROM outboxevent');
  return Number(row?.n);
};

/** A writer that dies at the crash point; resolves when it has. */
async function writerThatDies(point: string): Promise<void> {
  const writer = spawnApp('apps/writer/main.ts', { ...relay.env, KRS_CRASH_AT: `${point}:3` });
  const { signal } = await writer.exit;
  assert.equal(signal, 'SIGKILL', `${point}: ${writer.output()}`);
}

test('I1 I2 I4 I5: each event once and in order while writers die at every step of a move', async () => {
  const sender = relay.sender();
  const committed: Added[] = [];
  const progress = { rounds: 0 };
  const applications = Array.from({ length: CONNECTIONS }, (_, n) => application(`c${n}`, n + 1, committed, progress));
  for (const point of CRASH_POINTS) await writerThatDies(point);
  const writer: App = relay.writer();
  await until('half of the rounds', () => progress.rounds > (CONNECTIONS * ROUNDS) / 2, WAIT_MS);
  const killed = relay.writer();
  await writer.kill();
  await Promise.all(applications);
  await until('an empty table', async () => (await eventsLeft()) === 0, WAIT_MS);
  await until('an empty outbox', async () => (await outboxLeft()) === 0, WAIT_MS);
  const { code, output } = await relay.cli('verify', '--wait', '60');
  assert.equal(code, 0, output);
  assert.equal((await archived()).length, committed.length, 'each row moved is in the archive once');
  const seen: { id: string; key: string | null; type: string }[] = [];
  for (const type of ['order', 'user']) {
    for (const { key, headers, value } of await readTopic(`${relay.name}.${type}`)) {
      seen.push({ id: headers.id ?? '', key, type });
      assert.match(String(value), /^\{"name":"c\d","round":\d+,"n":\d\}$/);
    }
  }
  assert.equal(new Set(seen.map(({ id }) => id)).size, seen.length, 'none is doubled');
  assert.equal(seen.length, committed.length, 'none is lost, none was rolled back');
  const order = (events: readonly Added[] | typeof seen, key: string, type: string) =>
    events.filter((event) => event.key === key && event.type === type).map(({ id }) => id);
  for (const key of new Set(committed.map((event) => event.key))) {
    for (const type of ['order', 'user']) assert.deepEqual(order(seen, key, type), order(committed, key, type));
  }
  assert.ok(killed.running && sender.running);
  await relay.stopAll();
});

async function outboxLeft(): Promise<number> {
  const [row] = await relay.query<{ n: number }>('SELECT COUNT(*) AS n FROM kafka_row_sender_outbox');
  return Number(row?.n);
}

const archived = () => relay.query<{ id: string }>('SELECT DISTINCT id FROM outboxevent_archive');

test('a table emptied by TRUNCATE, and a row with an id of its own, are read from where they are', async () => {
  const run = relay.run();
  const connection = await connect();
  const add = async (id: string) => {
    await connection.beginTransaction();
    await outbox.add(connection, { id, type: 'T', aggregateType: 'order', aggregateId: 'late', payload: null });
    await connection.commit();
  };
  const gone = () => until('an empty table', async () => (await eventsLeft()) === 0, WAIT_MS);
  await add('before');
  await gone();
  await connection.query('TRUNCATE outboxevent');
  await add('after-1');
  await add('after-2');
  await gone();
  await until('an empty outbox', async () => (await outboxLeft()) === 0, WAIT_MS);
  const records = (await readTopic(`${relay.name}.order`)).filter(({ key }) => key === 'late');
  assert.deepEqual(
    records.map(({ headers, value }) => [headers.id, value]),
    [
      ['before', null],
      ['after-1', null],
      ['after-2', null],
    ],
  );
  assert.ok(run.log.some(({ event }) => event === 'went-back'));
  const status = await relay.cli('status');
  assert.match(status.output, /^outboxevent \(consume\) /m);
  const doctor = await relay.cli('doctor');
  assert.doesNotMatch(doctor.output, /^broken/im, doctor.output);
  assert.match(doctor.output, /rows below the watermark are looked for in mode consume/);
  await connection.end();
  await relay.stopAll();
});

test('verify reads a topic that only a row named which is gone, and whose archive is', async () => {
  const delivered = async () => {
    const { code, output } = await relay.cli('verify', '--wait', '60');
    assert.equal(code, 0, output);
    return Number(/delivered (\d+) of/.exec(output)?.[1]);
  };
  const before = await delivered();
  const topic = `${relay.name}-own`;
  await createTestTopic({ name: topic, partitions: 1 });
  const connection = await connect();
  await connection.beginTransaction();
  await outbox.add(connection, { type: 'Own', aggregateType: 'order', aggregateId: 'k', payload: 1, topic });
  await connection.commit();
  await connection.end();
  relay.run();
  await until('the record', async () => (await readTopic(topic)).length === 1, WAIT_MS);
  await until('an empty outbox', async () => (await outboxLeft()) === 0, WAIT_MS);
  assert.equal(await delivered(), before + 1);
  await relay.query('DELETE FROM outboxevent_archive');
  assert.equal(await delivered(), before + 1, 'by what senders wrote down');
  await relay.stopAll();
});
