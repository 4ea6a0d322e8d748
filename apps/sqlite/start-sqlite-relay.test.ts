/** Application and relay in one process, on real Kafka: events arrive, refused ones are told and set aside, one relay a file. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutboxRepository, outboxTableSql, sqliteTransaction } from '#application-outbox';
import { silentLogger } from '#runtime';
import { testEnvironment, until } from '#testkit';
import { openSqliteWorld, type SqliteWorld } from '../test/sqlite-world.ts';
import { type Notification, type SqliteRelayOptions, startSqliteRelay } from './index.ts';

const DEADLINE_MS = 60_000;

let world: SqliteWorld;
let db: DatabaseSync;
let options: SqliteRelayOptions;

before(async () => {
  world = await openSqliteWorld({ config: { 'max.message.bytes': '2000' } });
  db = new DatabaseSync(world.file, { timeout: 5_000 });
  for (const sql of outboxTableSql({ dialect: 'sqlite' })) db.exec(sql);
  options = {
    file: world.file,
    kafka: testEnvironment().kafkaBootstrap,
    sources: [{ table: 'outboxevent', topic: world.topic }],
    settings: {
      KAFKA_TRANSACTIONAL_ID_PREFIX: world.topic,
      KAFKA_MAX_RETRIES: '2',
      KAFKA_RETRY_BACKOFF_BASE: '0.05',
      KAFKA_RETRY_BACKOFF_MAX: '0.1',
      NOTIFY_AFTER_RETRIES: '1',
    },
    logger: silentLogger,
  };
});

after(async () => {
  db?.close();
  await world?.close();
});

const events = new OutboxRepository();

function add(user: number, payload: unknown): string {
  const event = { type: 'UserCreated', aggregateType: 'user', aggregateId: String(user), payload, topic: world.topic };
  return events.addSync(sqliteTransaction(db), event).id;
}

function transact(...payloads: readonly unknown[]): readonly string[] {
  db.exec('BEGIN IMMEDIATE');
  const ids = payloads.map((payload, at) => add(at, payload));
  db.exec('COMMIT');
  return ids;
}

test('an event outside of a transaction is refused before it is written', () => {
  assert.throws(() => add(1, {}), { code: 'CONFIG_INVALID' });
  assert.equal(db.prepare('SELECT COUNT(*) AS n FROM outboxevent').get()?.n, 0);
});

test('events of this process arrive once each, also while it keeps a transaction open', {
  timeout: DEADLINE_MS,
}, async () => {
  const relay = await startSqliteRelay(options);
  try {
    await assert.rejects(startSqliteRelay(options), { code: 'CONFIG_INVALID' });
    const ids = [...transact({ n: 1 }, { n: 2 }), ...transact(null)];
    db.exec('BEGIN IMMEDIATE');
    const open = add(9, { n: 9 });
    // The relay cannot write now, and must neither hang this process nor fail.
    await sleep(300);
    db.exec('COMMIT');
    relay.ring();
    await until('all events', async () => (await world.records()).length === 4, DEADLINE_MS);
    const records = await world.records();
    assert.deepEqual(new Set(records.map(({ headers }) => headers.id)), new Set([...ids, open]));
    assert.ok(
      records.some(({ value }) => value === null),
      'a tombstone',
    );
    const { lanes, kafka } = await relay.status();
    assert.deepEqual([lanes.length, kafka.reachable], [8, true]);
  } finally {
    await relay.stop();
  }
  await relay.done;
});

test('a refused event is tried as often as was set, told by callback and webhook, and kept; the others arrive', {
  timeout: DEADLINE_MS,
}, async () => {
  const [told, posted]: [Notification[], Notification[]] = [[], []];
  const server = createServer(async (request, response) => {
    posted.push(JSON.parse(await text(request)));
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const relay = await startSqliteRelay({
    ...options,
    settings: { ...options.settings, NOTIFY_WEBHOOK_URL: `http://127.0.0.1:${port}/` },
    onNotification: (notification) => void told.push(notification),
  });
  try {
    const [large] = transact({ large: 'x'.repeat(5_000) }, { n: 3 });
    await until('the dead row', () => posted.some(({ kind }) => kind === 'row-dead'), DEADLINE_MS);
    const kinds = told.map(({ kind }) => kind);
    assert.deepEqual(kinds, ['row-refused', 'row-dead']);
    assert.deepEqual(posted, told);
    assert.equal(told[1]?.attempts, 2);
    await until('the other event', async () => (await world.records()).length === 5, DEADLINE_MS);
    const listed = await world.run(['dead-letters', 'list', '--json']);
    assert.deepEqual(
      (JSON.parse(listed.stdout) as { eventId: string; state: string }[]).map(({ eventId, state }) => [eventId, state]),
      [[large, 'dead']],
    );
    assert.equal(JSON.stringify(told).includes('xxx'), false, 'no payload is told');
  } finally {
    await relay.stop();
    server.close();
  }
});

test('wrong options are refused in one line each; a file that is not there, too', async () => {
  await assert.rejects(startSqliteRelay({ ...options, file: `${world.file}.none` }), { code: 'DB_UNREACHABLE' });
  const wrong = { ...options, sources: [{ table: 'outboxevent', topic: 'a b' }], settings: { LANE: '8' } };
  await assert.rejects(startSqliteRelay(wrong), { code: 'CONFIG_INVALID', message: /sources\[0\].topic.*\n?.*|LANE/ });
  const noTable = await startSqliteRelay({ ...options, sources: [{ table: 'nothing', topic: 'a' }] });
  await assert.rejects(noTable.done, { code: 'DB_SCHEMA' });
});
