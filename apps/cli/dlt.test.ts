/** `dlt list|show|redrive` as an operator uses it, on a real broker. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRetriableConsumer } from '#retriable-consumer';
import { createTestTopic, readTopic, type TestTopic, testEnvironment, testKafka, uniqueName, until } from '#testkit';
import { runCli } from '../test/cli-world.ts';

const DEADLINE_MS = 40_000;
let base: TestTopic;
let dead: TestTopic;
const dlt = (...args: string[]) => {
  const env = { KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: testEnvironment().kafkaBootstrap };
  return runCli(['dlt', ...args], env);
};

before(async () => {
  [base, dead] = [await createTestTopic({ prefix: 'krs-cli-dlt' }), await createTestTopic({ prefix: 'krs-cli-dlt' })];
  const { kafkaBootstrap, kafkaBrokers: brokers } = testEnvironment();
  const producer = testKafka(kafkaBootstrap).producer();
  await producer.connect();
  const messages = ['one', 'two', 'three'].map((value) => ({ key: `key-${value}`, value, headers: { id: value } }));
  await producer.send({ topic: base.name, messages });
  await producer.disconnect();
  const consumer = createRetriableConsumer({
    brokers,
    groupId: uniqueName('krs-cli-dlt'),
    topics: [{ topic: base.name, deadLetterTopic: dead.name, retries: 0 }],
    handler: ({ value }) => {
      throw String(value) === 'two' ? new TypeError('two is bad') : new RangeError('out of range');
    },
  });
  try {
    await consumer.start();
    await until('letters', async () => (await readTopic(dead.name)).length === 3, DEADLINE_MS);
  } finally {
    await consumer.stop();
  }
});

after(async () => {
  await base?.drop();
  await dead?.drop();
});

test('list: a table or JSON, filtered', async () => {
  const { code, stdout, stderr } = await dlt('list', dead.name);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^ID +DIED \(UTC\) +FROM TOPIC +KEY +REASON +ATTEMPTS +CLASS +WHY$/m);
  assert.match(stdout, /^0\/\d+ +\S+ +\S+ +key-two +out-of-attempts +1 +TypeError +two is bad$/m);
  const { stdout: json } = await dlt(
    'list',
    dead.name,
    '--json',
    '--error-class',
    'RangeError',
    '--from-topic',
    base.name,
  );
  assert.deepEqual(
    JSON.parse(json).map((each: { key: string }) => each.key),
    ['key-one', 'key-three'],
  );
  const few = await dlt('list', dead.name, '--limit', '1', '--since', '2020-01-01T00:00:00Z');
  assert.match(few.stderr, /^there are more: give --limit above 1/);
});

test('show: why, headers and value of one', async () => {
  const [letter] = JSON.parse((await dlt('list', dead.name, '--json', '--key', 'key-two')).stdout);
  const { code, stdout } = await dlt('show', dead.name, letter.id);
  const shown = JSON.parse(stdout);
  assert.deepEqual([code, shown.value, shown.headers.id, shown.note.error_class], [0, 'two', 'two', 'TypeError']);
  assert.match(shown.stack, /TypeError: two is bad/);
  const missing = await dlt('show', dead.name, '0/999');
  assert.deepEqual([missing.code, missing.stderr], [2, `error: there is no dead letter 0/999 in ${dead.name}\n`]);
});

test('redrive: dry run, killed before and behind the commit, then each is there once; --all still lists them', async () => {
  const dry = await dlt('redrive', dead.name, '--dry-run');
  assert.match(dry.stdout, /would send 0\/\d+ to .*\n3 dead letters would be sent, 0 refused\n$/s);
  const env = { KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: testEnvironment().kafkaBootstrap };
  for (const place of ['kafka-before-commit', 'kafka-after-commit']) {
    const args = ['dlt', 'redrive', dead.name, '--error-class', 'TypeError'];
    assert.equal((await runCli(args, { ...env, KRS_CRASH_AT: place })).code, null, place);
  }
  const sent = await dlt('redrive', dead.name, '--rate', '100', '--json');
  assert.equal(sent.code, 0, sent.stderr);
  assert.deepEqual([JSON.parse(sent.stdout).sent, JSON.parse(sent.stdout).letters.length], [2, 2]);
  assert.equal((await dlt('redrive', dead.name)).stdout, '0 dead letters were sent again, 0 refused\n');
  assert.deepEqual(JSON.parse((await dlt('list', dead.name, '--json')).stdout), []);
  assert.equal(JSON.parse((await dlt('list', dead.name, '--json', '--all')).stdout).length, 3);
  assert.deepEqual(
    (await readTopic(base.name)).slice(3).map(({ key, headers }) => [key, headers]),
    ['two', 'one', 'three'].map((name) => [`key-${name}`, { id: name }]),
  );
});

test('bad usage and a missing topic: one line each, and the exit code', async () => {
  const place = await dlt('show', dead.name, 'x');
  assert.deepEqual([place.code, place.stderr.split('\n').length], [2, 2]);
  assert.equal((await dlt('list', dead.name, '--since', 'yesterday')).code, 2);
  assert.equal((await dlt('redrive', dead.name, '--rate', '0')).code, 2);
  const missing = await dlt('list', 'krs-not-there');
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /^error: .*krs-not-there.*\n$/);
  const away = await runCli(['dlt', 'list', dead.name], { KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1' });
  assert.deepEqual([away.code, away.stderr.split('\n').length], [3, 2]);
});
