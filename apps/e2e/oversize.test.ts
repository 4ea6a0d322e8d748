/**
 * OVERSIZE=chunk with the real relay: rows larger than their topic takes arrive in chunks, verify counts them as the rows
 * they are, and the retriable consumer gives them back whole and in order.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRetriableConsumer } from '#retriable-consumer';
import { createTestTopic, readTopic, spawnApp, type TestTopic, testEnvironment, uniqueName, until } from '#testkit';
import { type CliWorld, openCliWorld } from '../test/cli-world.ts';

const DEADLINE_MS = 60_000;
/** What one record of the topic may have; the large row is much larger. */
const LIMIT = 20_000;
const LARGE = 3_000_000;
let world: CliWorld;
let dead: TestTopic;

before(async () => {
  world = await openCliWorld('krs_oversize');
  dead = await createTestTopic({ prefix: 'krs-oversize-dead' });
  await createTestTopic({ name: world.topic, partitions: 2, config: { 'max.message.bytes': String(LIMIT) } });
  await world.db.query('ALTER TABLE orders ADD note LONGTEXT');
  const { code, stderr } = await world.run(['init', '--create-topics']);
  assert.equal(code, 0, stderr);
});

after(async () => {
  await dead?.drop();
  await world?.close();
});

test('chunk: relayed, verified, joined', { timeout: 3 * DEADLINE_MS }, async () => {
  const sizes: [string | null, number][] = [['a', 1], ['a', LARGE], ['a', 2], [null, 100_000], ['b', 3]]; // biome-ignore format: pairs
  const rows = sizes.map(([customer, size], at) => [customer, at, 'x'.repeat(size)]);
  for (const row of rows) await world.db.query('INSERT INTO orders (customer, amount, note) VALUES (?)', [row]);
  const relay = spawnApp('apps/cli/main.ts', { ...world.env, KAFKA_ROW_SENDER_OVERSIZE: 'chunk' }, { args: ['run'] });
  try {
    const verified = await world.run(['verify', '--wait', '60']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr + relay.output());
    assert.match(verified.stdout, /^delivered 5 of 5: 0 missing, 0 duplicated, 0 out of order\n$/);
  } finally {
    await relay.stop();
  }
  assert.ok((await readTopic(world.topic)).length > LARGE / LIMIT);
  const seen: { key: string | null; amount: number; length: number }[] = [];
  const consumer = createRetriableConsumer({
    brokers: testEnvironment().kafkaBrokers,
    groupId: uniqueName('krs-oversize'),
    topics: [{ topic: world.topic, deadLetterTopic: dead.name }],
    ordering: 'key',
    handler: ({ key, value }) => {
      const { amount, note } = JSON.parse(String(value));
      seen.push({ key: key && String(key), amount: Number(amount), length: note.length });
    },
  });
  try {
    await consumer.start();
    await until('all rows', () => seen.length === rows.length, DEADLINE_MS);
  } finally {
    await consumer.stop();
  }
  const of = (wanted: string | null) =>
    seen.filter(({ key }) => key === wanted).map(({ amount, length }) => [amount, length]);
  assert.deepEqual(of('a'), [[0, 1], [1, LARGE], [2, 2]]); // biome-ignore format: pairs
  assert.deepEqual([of(null), of('b')], [[[3, 100_000]], [[4, 3]]]);
  assert.deepEqual(await readTopic(dead.name), []);
});

test('the default: refused as ever, and in the dead letters of the relay', { timeout: 2 * DEADLINE_MS }, async () => {
  await world.db.query('INSERT INTO orders (customer, amount, note) VALUES (?)', [['c', 9, 'x'.repeat(100_000)]]);
  const env = { ...world.env, KAFKA_ROW_SENDER_KAFKA_MAX_RETRIES: '0' };
  const relay = spawnApp('apps/cli/main.ts', env, { args: ['run'] });
  try {
    const letters = async () => JSON.parse((await world.run(['dead-letters', 'list', '--json'])).stdout);
    await until('the dead letter', async () => (await letters()).length === 1, DEADLINE_MS);
    const wrong = await world.run(['config', 'check'], { KAFKA_ROW_SENDER_OVERSIZE: 'cut' });
    assert.equal(wrong.code, 2);
    assert.match(wrong.stdout + wrong.stderr, /KAFKA_ROW_SENDER_OVERSIZE.*dead-letter or chunk/);
  } finally {
    await relay.stop();
  }
});
