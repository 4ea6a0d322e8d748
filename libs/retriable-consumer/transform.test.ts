/**
 * Consume, transform, produce: members of the group killed at the worst places and at random, and paused until the group
 * has gone on without them; a read_committed reader of the target finds each output exactly once.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createGroupTransactions } from '#kafka-delivery';
import { silentLogger, systemClock } from '#runtime';
import {
  type App,
  createTestTopic,
  readTopic,
  seededRandom,
  spawnApp,
  type TestTopic,
  testEnvironment,
  testKafka,
  testSeed,
  uniqueName,
  until,
} from '#testkit';
import { createRetriableConsumer } from './index.ts';

const EVENTS = 300;
const FAILS_FIRST = 10;
const KILLS = 2;
/** Longer than the session timeout of 6 s. */
const PAUSE_MS = 8_000;
const DEADLINE_MS = 60_000;
const CRASHES = ['kafka-after-send', 'kafka-before-commit', 'kafka-after-commit'];
const numbers = [...Array(EVENTS).keys()];
const expected = numbers.flatMap((number) => [`${number}a`, `${number}b`]).sort();
const topics: TestTopic[] = [];

interface Names {
  readonly topic: string;
  readonly retryTopic: string;
  readonly deadLetterTopic: string;
  readonly target: string;
}

async function makeTopics(): Promise<Names> {
  const made: TestTopic[] = [];
  for (const partitions of [4, 2, 1, 3]) made.push(await createTestTopic({ prefix: 'krs-transform', partitions }));
  topics.push(...made);
  const [topic = '', retryTopic = '', deadLetterTopic = '', target = ''] = made.map(({ name }) => name);
  return { topic, retryTopic, deadLetterTopic, target };
}

async function produce(topic: string, values: readonly number[]): Promise<void> {
  const producer = testKafka(testEnvironment().kafkaBootstrap).producer();
  await producer.connect();
  await producer.send({ topic, messages: values.map((i) => ({ key: `key-${i % 9}`, value: `${i}` })) });
  await producer.disconnect();
}

const outputs = async (target: string) => (await readTopic(target)).map(({ value }) => String(value)).sort();

before(() => testEnvironment());
after(async () => {
  for (const topic of topics) await topic.drop();
});

test('killed and paused: each output exactly once', { timeout: 4 * DEADLINE_MS }, async () => {
  const seed = testSeed();
  const random = seededRandom(seed);
  const { target, ...rule } = await makeTopics();
  const waves = CRASHES.length + KILLS + 1;
  /** Members join first: there is always something to be done by each of them. */
  const produceWave = (wave: number) =>
    produce(
      rule.topic,
      numbers.filter((number) => number % waves === wave),
    );
  const joined = (app: App) => app.waitForLog(({ msg }) => msg === 'joined', DEADLINE_MS);
  const settings = {
    brokers: testEnvironment().kafkaBrokers,
    groupId: uniqueName('krs-transform'),
    topics: [{ ...rule, retries: 3, delayMs: 500 }],
    target,
    failsFirst: FAILS_FIRST,
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 300,
    drainTimeoutMs: 2_000,
    transactionTimeoutMs: 6_000,
    commitIntervalMs: 30,
    concurrency: 2,
  };
  const spawn = (member: string, crashAt = '') => {
    const args = [JSON.stringify({ ...settings, member })];
    return spawnApp('libs/retriable-consumer/transform-consumer.child.ts', crashAt ? { KRS_CRASH_AT: crashAt } : {}, {
      args,
    });
  };
  const living: App[] = [spawn('steady')];
  try {
    for (const [wave, place] of CRASHES.entries()) {
      const app = spawn(place, `${place}:${1 + Math.floor(random() * 2)}`);
      await joined(app);
      await produceWave(wave);
      assert.equal((await app.exit).signal, 'SIGKILL', `${place}: ${app.output()}`);
    }
    for (let kill = 0; kill < KILLS; kill += 1) {
      const app = spawn(`killed ${kill}`);
      await joined(app);
      await produceWave(CRASHES.length + kill);
      await Promise.race([app.waitForLog(() => app.log.length > 5, DEADLINE_MS), systemClock.sleep(9_000)]);
      await app.kill();
    }
    const [steady] = living;
    await produceWave(waves - 1);
    await systemClock.sleep(Math.floor(random() * 300));
    steady?.pause();
    living.push(spawn('second'));
    await systemClock.sleep(PAUSE_MS);
    steady?.resume();
    await until('all outputs', async () => new Set(await outputs(target)).size === expected.length, DEADLINE_MS);
    for (const app of living) assert.equal((await app.stop()).code, 0, app.output());
    assert.deepEqual(await outputs(target), expected, `KRS_TEST_SEED=${seed}`);
    assert.deepEqual(await readTopic(rule.deadLetterTopic), []);
  } finally {
    for (const app of living) if (app.running) await app.kill();
  }
});

test('a transaction of a member that the group has left behind is refused, and writes nothing', async () => {
  const { target, ...rule } = await makeTopics();
  const { kafkaBrokers: brokers } = testEnvironment();
  const groupId = uniqueName('krs-zombie');
  const consumer = createRetriableConsumer({ brokers, groupId, topics: [rule], handler: () => {} });
  const zombie = createGroupTransactions({
    brokers,
    clientId: 'zombie',
    logger: silentLogger,
    transactionalId: uniqueName('krs-zombie'),
  });
  try {
    await consumer.start();
    const record = { topic: target, key: null, value: Buffer.from('late'), headers: {}, spread: 0 };
    const offsets = [{ topic: rule.topic, offsets: [{ partition: 0, offset: 1 }] }];
    const late = { group: groupId, member: { memberId: 'somebody', generationId: 1 }, topics: offsets };
    await assert.rejects(zombie.transact([record], late), { code: 'KAFKA_FENCED' });
    assert.deepEqual(await readTopic(target), []);
    assert.equal((await zombie.stableOffset(groupId, rule.topic, 0)).offset, -1);
  } finally {
    await consumer.stop();
    await zombie.close();
  }
});

test('the next owner waits for a transaction that the last one has left open', { timeout: DEADLINE_MS }, async () => {
  const { target, ...rule } = await makeTopics();
  const { kafkaBrokers: brokers } = testEnvironment();
  const groupId = uniqueName('krs-open');
  const transactionalId = uniqueName('krs-open');
  const common = { brokers, clientId: 'owner', logger: silentLogger, transactionTimeoutMs: 60_000 };
  const reached = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const gate = async (name: string) => {
    if (name !== 'before:commit') return;
    reached.resolve();
    await held.promise;
  };
  const owner = createGroupTransactions({ ...common, transactionalId, gate });
  const seen: string[] = [];
  const consumer = createRetriableConsumer({
    brokers,
    groupId,
    topics: [rule],
    handler: (message) => void seen.push(String(message.value)),
  });
  try {
    const producer = testKafka(testEnvironment().kafkaBootstrap).producer();
    await producer.connect();
    const messages = ['first', 'second'].map((value) => ({ value, partition: 0 }));
    await producer.send({ topic: rule.topic, messages });
    await producer.disconnect();
    // The last owner has written what `first` gave, and the offset behind it, and has not committed yet.
    const offsets = [{ topic: rule.topic, offsets: [{ partition: 0, offset: 1 }] }];
    const record = { topic: target, key: null, value: Buffer.from('of first'), headers: {}, spread: 0 };
    const transaction = owner.transact([record], {
      group: groupId,
      member: { memberId: '', generationId: -1 },
      topics: offsets,
    });
    await reached.promise;
    await consumer.start();
    await until('the partition to be asked for', () => consumer.health().healthy !== undefined, DEADLINE_MS);
    await systemClock.sleep(2_000);
    assert.deepEqual(seen, []);
    held.resolve();
    await transaction;
    await until('the rest', () => seen.length > 0, DEADLINE_MS);
    await systemClock.sleep(500);
    assert.deepEqual(seen, ['second']);
  } finally {
    held.resolve();
    await consumer.stop();
    await owner.close();
  }
});
