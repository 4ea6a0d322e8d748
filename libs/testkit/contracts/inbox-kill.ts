/**
 * A consumer with an inbox that is killed at random places, and at the two places where it hurts most, on real servers: every
 * event of the topic has its effect exactly once, although some were sent twice and many are read again.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestTopic, type TestTopic } from '../create-test-topic.ts';
import { testKafka } from '../kafka-client.ts';
import { seededRandom, testSeed } from '../seeded-random.ts';
import { type App, spawnApp } from '../spawn-app.ts';
import { testEnvironment } from '../test-environment.ts';
import { uniqueName } from '../unique-name.ts';
import { until } from '../until.ts';

const EVENTS = 400;
const SENT_TWICE = 40;
const DEADLINE_MS = 90_000;
const CRASHES = ['inbox-before-commit', 'inbox-after-commit'];

export interface InboxHarness {
  readonly title: string;
  /** Each costs the group a session timeout of 6 s. */
  readonly kills: number;
  /** The child process that consumes, and what it needs beside broker, topic and group. */
  readonly child: string;
  readonly settings: () => object;
  /** Makes inbox and effects; effects without a unique key, so that a second one shows. */
  prepare(): Promise<void>;
  effects(): Promise<{ readonly all: number; readonly distinct: number }>;
  /** A last look at the database. */
  inspect?(): void;
  dispose(): Promise<void>;
}

export function inboxKillContract(harness: InboxHarness): void {
  let topic: TestTopic;

  before(async () => {
    topic = await createTestTopic({ prefix: 'krs-inbox', partitions: 2 });
    await harness.prepare();
  });

  after(async () => {
    await topic?.drop();
    await harness.dispose();
  });

  const spawnConsumer = (groupId: string, crashAt?: string): App => {
    const settings = { bootstrap: testEnvironment().kafkaBootstrap, topic: topic.name, groupId, ...harness.settings() };
    const env = crashAt === undefined ? {} : { KRS_CRASH_AT: crashAt };
    return spawnApp(harness.child, env, { args: [JSON.stringify(settings)] });
  };

  test(harness.title, { timeout: 4 * DEADLINE_MS }, async () => {
    const seed = testSeed();
    const random = seededRandom(seed);
    const groupId = uniqueName('krs-inbox');
    const message = `KRS_TEST_SEED=${seed}`;
    await produce(topic.name);
    for (const place of CRASHES) {
      const app = spawnConsumer(groupId, `${place}:${1 + Math.floor(random() * 50)}`);
      assert.equal((await app.exit).signal, 'SIGKILL', `${place}, ${message}: ${app.output()}`);
    }
    for (let kill = 0; kill < harness.kills; kill += 1) {
      const app = spawnConsumer(groupId);
      const wanted = Math.floor(random() * 80);
      await app.waitForLog(() => app.log.length > wanted, DEADLINE_MS, `${wanted} lines`);
      await app.kill();
    }
    const last = spawnConsumer(groupId);
    try {
      await until('all effects', async () => (await harness.effects()).distinct === EVENTS, DEADLINE_MS);
      // The events sent twice are the last of their partitions: all of them have been read, too.
      await until('the end', () => endReached(topic.name, groupId), DEADLINE_MS);
      assert.deepEqual(await harness.effects(), { all: EVENTS, distinct: EVENTS }, message);
      assert.ok(last.log.some(({ msg }) => msg === 'duplicate'));
      harness.inspect?.();
    } finally {
      await last.stop();
    }
  });
}

async function produce(topic: string): Promise<void> {
  const producer = testKafka(testEnvironment().kafkaBootstrap).producer();
  const message = (i: number) => ({ key: `${i % 7}`, value: `${i}`, headers: { id: `event-${i}` } });
  const numbers = [...Array(EVENTS).keys(), ...Array(SENT_TWICE).keys()];
  await producer.connect();
  await producer.send({ topic, messages: numbers.map(message) });
  await producer.disconnect();
}

async function endReached(topic: string, groupId: string): Promise<boolean> {
  const admin = testKafka(testEnvironment().kafkaBootstrap).admin();
  await admin.connect();
  try {
    const ends = await admin.fetchTopicOffsets(topic);
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const offsetOf = new Map(committed?.partitions.map(({ partition, offset }) => [partition, offset]));
    return ends.every(({ partition, offset }) => offsetOf.get(partition) === offset);
  } finally {
    await admin.disconnect();
  }
}
