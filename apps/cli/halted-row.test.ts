/** Policy `halt`: a row that Kafka refuses stops its lane; it is listed, dropped by the operator's word, and the lane goes on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type App, readTopic, spawnApp, testEnvironment, testKafka } from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

const LOG_DEADLINE_MS = 30_000;
const POLICY = {
  KAFKA_ROW_SENDER_ROW_FAULT_POLICY: 'halt',
  KAFKA_ROW_SENDER_KAFKA_MAX_RETRIES: '2',
  KAFKA_ROW_SENDER_KAFKA_RETRY_BACKOFF_BASE: '0.05',
};

let world: CliWorld;
let app: App;

before(async () => {
  world = await openCliWorld('krs_cli_halted');
  const admin = testKafka(testEnvironment().kafkaBootstrap).admin();
  await admin.connect();
  const configEntries = [{ name: 'max.message.bytes', value: '1000' }];
  await admin.createTopics({ topics: [{ topic: world.topic, numPartitions: 1, configEntries }] });
  await admin.disconnect();
  assert.equal((await world.run(['init'])).code, 0);
  await world.db.query('ALTER TABLE orders ADD note TEXT');
  app = spawnApp('apps/cli/main.ts', { ...world.env, ...POLICY }, { args: ['run'] });
});
after(async () => {
  await app?.stop();
  await world?.close();
});

const insert = (customer: string, note: string) =>
  world.db.query('INSERT INTO orders (customer, note) VALUES (?, ?)', [customer, note]);

test('the row is found in the list, and dropping it and resuming the lane delivers what waits behind it', async () => {
  await insert('a', 'small');
  await insert('a', 'x'.repeat(3_000));
  await insert('a', 'behind it');
  const halted = await app.waitForLog(({ event }) => event === 'lane-halted', LOG_DEADLINE_MS);
  const lane = String(halted.lane);
  assert.match((await world.run(['status'])).stdout, /lane \d is halted: row \d+ was refused 2 times .*dead-letters/);
  const [letter, ...others] = JSON.parse((await world.run(['dead-letters', 'list', '--json'])).stdout);
  assert.deepEqual([letter.eventId, letter.attempts, others], ['orders:2', 2, []]);
  const id = String(letter.id);
  assert.equal((await world.run(['dead-letters', 'drop', id])).code, 2);
  const dropped = await world.run(['dead-letters', 'drop', id, '--yes']);
  assert.equal(dropped.code, 0, dropped.stderr);
  assert.match(
    dropped.stderr,
    new RegExp(`lane ${lane} is halted: kafka-row-sender lane resume ${lane} lets it go on`),
  );
  assert.equal((await world.run(['lane', 'resume', lane])).code, 0);
  const verified = await world.run(['verify', '--wait', '60']);
  assert.match(verified.stdout, /^delivered 2 of 3: 1 missing, 0 duplicated, 0 out of order$/m);
  assert.match(verified.stdout, /^orders: missing 1:\n {2}orders:2 /m);
  const records = await readTopic(world.topic, { bootstrap: testEnvironment().kafkaBootstrap });
  assert.deepEqual(
    records.map(({ headers }) => headers.id),
    ['orders:1', 'orders:3'],
  );
});
