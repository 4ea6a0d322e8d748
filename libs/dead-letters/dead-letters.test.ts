/** Dead letters on a real broker: found, filtered, sent again exactly once, also after a crash between sending and saying so. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chunkHeaders, createJoiner } from '#chunking';
import { connectKafka, createGroupTransactions, type KafkaOptions, readTopics } from '#kafka-delivery';
import { createRetriableConsumer, type Handler } from '#retriable-consumer';
import { silentLogger, systemClock } from '#runtime';
import { createTestTopic, readTopic, type TestTopic, testEnvironment, uniqueName, until } from '#testkit';
import { type DeadLetter, readDeadLetters, redriveDeadLetters } from './index.ts';
import { rangesText } from './redriven-marks.ts';

const DEADLINE_MS = 40_000;
const topics: TestTopic[] = [];
let kafka: KafkaOptions;

before(() => {
  const { kafkaBrokers: brokers } = testEnvironment();
  kafka = { brokers, clientId: 'krs-test', logger: silentLogger, prefix: '', outboxTable: '' };
});

after(async () => {
  for (const topic of topics) await topic.drop();
});

async function topic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
  const made = await createTestTopic({ prefix: 'krs-dlt', partitions, config });
  topics.push(made);
  return made.name;
}

async function letters(name: string): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for await (const letter of readDeadLetters(connectKafka(kafka), name)) found.push(letter);
  return found;
}

/** Lets a consumer bury what the handler refuses; messages of `base` with these values. */
async function bury(
  base: string,
  dead: string,
  messages: { key?: string; value: string | Buffer; headers?: Record<string, Buffer | string> }[],
) {
  const handler: Handler = ({ value }) => {
    throw String(value).startsWith('type') ? new TypeError('bad type') : new RangeError('bad range');
  };
  // Not by kafkajs's producer, which does not come back from a key of a megabyte.
  const transactions = createGroupTransactions({ ...kafka, transactionalId: base });
  const records = messages.map(({ key = null, value, headers = {} }, spread) => {
    return { topic: base, key: key === null ? null : Buffer.from(key), value: Buffer.from(value), headers, spread };
  });
  await transactions.transact(records, null);
  await transactions.close();
  const consumer = createRetriableConsumer({
    brokers: kafka.brokers,
    groupId: uniqueName('krs-dlt'),
    topics: [{ topic: base, deadLetterTopic: dead, retries: 0 }],
    handler,
  });
  try {
    await consumer.start();
    await until('letters', async () => (await letters(dead)).length >= messages.length, DEADLINE_MS);
  } finally {
    await consumer.stop();
  }
}

test('offsets of a mark', () => {
  assert.equal(rangesText([5n, 3n, 4n, 9n]), '3-5,9');
  assert.equal(rangesText([]), '');
});

test('filters, limit, dry run; sent again once, to its own partition, with clean headers', async () => {
  const [base, dead] = [await topic(3), await topic(2)];
  const messages = ['type a', 'range b', 'type c', 'range d'].map((value, i) => ({
    key: `k${i}`,
    value,
    headers: { id: value, retriable_kafka_attempt: Buffer.from('0000000000000003', 'hex') },
  }));
  await bury(base, dead, messages);
  const before = await readTopic(base);
  const options = { kafka, topic: dead };

  const told: string[] = [];
  const dry = await redriveDeadLetters({
    ...options,
    filter: { errorClass: 'TypeError' },
    dryRun: true,
    onLetter: (letter, what) => told.push(`${letter.value} ${what}`),
  });
  assert.deepEqual([dry.sent, told.sort()], [2, ['type a would-send', 'type c would-send']]);
  assert.equal((await readTopic(base)).length, 4);

  assert.equal((await redriveDeadLetters({ ...options, filter: { errorClass: 'TypeError', key: 'k0' } })).sent, 1);
  assert.equal(
    (
      await redriveDeadLetters({
        ...options,
        filter: { originTopic: base, reason: 'out-of-attempts' },
        limit: 2,
        ratePerSecond: 50,
      })
    ).sent,
    2,
  );
  assert.equal((await redriveDeadLetters({ ...options, filter: {} })).sent, 1);
  assert.equal((await redriveDeadLetters({ ...options, filter: {} })).sent, 0);
  assert.equal((await redriveDeadLetters({ ...options, filter: { untilMs: 0 } })).sent, 0);

  const now = await readTopic(base);
  assert.equal(now.length, 8);
  for (const { key, value, partition } of before) {
    const again = now.filter((each) => each.key === key);
    assert.deepEqual(
      again.map((each) => [each.partition, String(each.value)]),
      Array(2).fill([partition, String(value)]),
    );
    assert.deepEqual(Object.keys(again.at(-1)?.headers ?? {}), ['id']);
  }
  const left = await letters(dead);
  assert.deepEqual([left.length, left.every(({ redriven }) => redriven)], [4, true]);
});

test('letters in chunks and in envelopes are sent again whole; chunks that never were a message as they came', async () => {
  const [base, dead] = [await topic(1, { 'max.message.bytes': '5000000' }), await topic()];
  const large = Buffer.alloc(2_500_000, 'range');
  const group = Buffer.alloc(16, 3);
  const broken = {
    key: 'x',
    value: 'broken',
    headers: { ...(chunkHeaders({ group, id: 7, count: 2 }) as Record<string, Buffer>), id: 'b' },
  };
  const enveloped = { key: 'e'.repeat(1_200_000), value: 'range in an envelope', headers: { id: 'e' } };
  await bury(base, dead, [{ key: 'l', value: large, headers: { id: 'l' } }, broken, enveloped]);
  const to = await topic(1, { 'max.message.bytes': '5000000' });
  assert.deepEqual(await redriveDeadLetters({ kafka, topic: dead, filter: {}, to }), { sent: 3, refused: 0 });
  const found = new Map<string, { readonly key: number; readonly value: number }>();
  const joiner = createJoiner({ clock: systemClock });
  for await (const { partition, records } of readTopics(connectKafka(kafka), {
    topics: [to],
    withValues: true,
    to: 'written',
  })) {
    for (const { offset, key, value, rawHeaders } of records) {
      const id = String(rawHeaders?.id);
      const outcomes = joiner.accept({
        topic: to,
        partition,
        offset: BigInt(offset),
        key,
        value,
        headers: rawHeaders ?? {},
      });
      for (const outcome of outcomes) {
        if (outcome.kind === 'message')
          found.set(id, { key: outcome.message.key?.length ?? 0, value: outcome.message.value?.length ?? 0 });
        if (outcome.kind === 'dead')
          found.set(`${id} ${outcome.reason}`, { key: key?.length ?? 0, value: value?.length ?? 0 });
      }
    }
  }
  assert.deepEqual(Object.fromEntries(found), {
    l: { key: 1, value: 2_500_000 },
    e: { key: 1_200_000, value: 20 },
    'b chunk-id-out-of-range': { key: 1, value: 6 },
  });
});

test('two runs at once, and one whose outcome is unknown: nothing is sent twice', async () => {
  const [base, dead] = [await topic(), await topic()];
  await bury(
    base,
    dead,
    [...Array(60).keys()].map((i) => ({ key: `k${i}`, value: `range ${i}` })),
  );
  let commits = 0;
  // The answer to the first commit is lost: it happened, and nobody knows.
  const gate = async (name: string) => {
    if (name !== 'after:commit') return;
    commits += 1;
    if (commits === 1) throw new Error('the answer is lost');
  };
  const run = (more: Partial<KafkaOptions> = {}) =>
    redriveDeadLetters({ kafka: { ...kafka, ...more }, topic: dead, filter: {}, ratePerSecond: 20 }).catch(
      (error) => error,
    );
  const outcomes = await Promise.all([run({ gate }), systemClock.sleep(1_500).then(() => run())]);
  const fenced = outcomes.filter((outcome) => outcome?.code === 'KAFKA_FENCED');
  assert.ok(fenced.length <= 1, JSON.stringify(outcomes));
  assert.equal((await redriveDeadLetters({ kafka, topic: dead, filter: {} })).refused, 0);
  const values = (await readTopic(base)).map(({ value }) => String(value));
  assert.equal(values.length, 120);
  assert.equal(new Set(values).size, 60);
});

test('a target that is not there or the dead-letter topic itself', async () => {
  const [base, dead] = [await topic(), await topic()];
  await bury(base, dead, [{ value: 'range' }]);
  await assert.rejects(redriveDeadLetters({ kafka, topic: dead, filter: {}, to: dead }), { code: 'CONFIG_INVALID' });
  const refused: (string | null)[] = [];
  const onLetter = (_: DeadLetter, __: string, why: string | null) => refused.push(why);
  const result = await redriveDeadLetters({ kafka, topic: dead, filter: {}, to: 'krs-not-there', onLetter });
  assert.deepEqual(result, { sent: 0, refused: 1 });
  assert.match(refused[0] ?? '', /krs-not-there/);
  assert.equal((await redriveDeadLetters({ kafka, topic: dead, filter: {} })).sent, 1);
});
