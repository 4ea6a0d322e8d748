/** Messages that make no sense or fit nowhere: each ends in the dead letters, and its partition goes on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { IHeaders, Producer } from 'kafkajs';
import { chunkHeaders, createJoiner, encodeNumber } from '#chunking';
import { connectKafka, createGroupTransactions, type RoutedRecord, readTopics } from '#kafka-delivery';
import { RelayError, silentLogger, systemClock } from '#runtime';
import { createTestTopic, type TestTopic, testEnvironment, testKafka, uniqueName, until } from '#testkit';
import { type ConsumerOptions, createRetriableConsumer, fromEnvelope, type Handler } from './index.ts';
import { routeGroup } from './route-records.ts';

const DEADLINE_MS = 40_000;
const LARGE = { 'max.message.bytes': '5000000' };
const topics: TestTopic[] = [];
let producer: Producer;

before(async () => {
  producer = testKafka(testEnvironment().kafkaBootstrap).producer();
  await producer.connect();
});

after(async () => {
  await producer?.disconnect();
  for (const topic of topics) await topic.drop();
});

async function topic(config: Record<string, string> = {}): Promise<string> {
  const made = await createTestTopic({ prefix: 'krs-bad', config });
  topics.push(made);
  return made.name;
}

/** kafkajs's producer does not come back from a key of a megabyte. */
async function sendLarge(record: RoutedRecord): Promise<void> {
  const { kafkaBrokers: brokers } = testEnvironment();
  const common = { brokers, clientId: 'krs-test', logger: silentLogger };
  const transactions = createGroupTransactions({ ...common, transactionalId: record.topic });
  await transactions.transact([record], null);
  await transactions.close();
}

interface Letter {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, string>;
}

/** Letters as their reader sees them: chunks of ours joined. */
async function lettersIn(name: string): Promise<Letter[]> {
  const { kafkaBrokers: brokers } = testEnvironment();
  const kafka = connectKafka({ brokers, clientId: 'krs-test', logger: silentLogger, prefix: '', outboxTable: '' });
  const joiner = createJoiner({ clock: systemClock });
  const letters: Letter[] = [];
  for await (const { topic, partition, records } of readTopics(kafka, {
    topics: [name],
    withValues: true,
    to: 'written',
  })) {
    for (const { offset, key, value, headers, rawHeaders } of records) {
      if (headers.kafka_row_sender_dead_letter_envelope === undefined) letters.push({ key, value, headers });
      const record = { topic, partition, offset: BigInt(offset), key, value, headers: rawHeaders ?? {} };
      for (const outcome of joiner.accept(record)) {
        if (headers.kafka_row_sender_dead_letter_envelope && outcome.kind === 'message') {
          letters.push({ key, value: outcome.message.value, headers });
        }
      }
    }
  }
  return letters;
}

const reasonOf = ({ headers }: Letter): string => headers.kafka_row_sender_dead_letter_reason ?? 'none';

async function consume(
  options: Partial<ConsumerOptions> & Pick<ConsumerOptions, 'topics' | 'handler'>,
  done: () => boolean | Promise<boolean>,
) {
  const { kafkaBrokers: brokers } = testEnvironment();
  const consumer = createRetriableConsumer({ brokers, groupId: uniqueName('krs-bad'), ...options });
  try {
    await consumer.start();
    await until('the consumer`s work', done, DEADLINE_MS);
  } finally {
    await consumer.stop();
  }
}

test('key and headers too large for any chunk: retry and dead letter go in an envelope, nothing is lost', async () => {
  const [base, retryTopic, deadLetterTopic] = [await topic(LARGE), await topic(), await topic()];
  const key = Buffer.alloc(1_200_000, 'key');
  const headers = { big: Buffer.alloc(700_000, 'h'), id: ['1', '2'] };
  await sendLarge({ topic: base, key, value: Buffer.from('whole'), headers, spread: 0 });
  await producer.send({ topic: base, messages: [{ value: 'after' }] });
  const seen: string[] = [];
  const handler: Handler = ({ value }) => {
    seen.push(String(value));
    if (String(value) === 'whole') throw new RangeError('x'.repeat(10_000));
  };
  await consume({ topics: [{ topic: base, retryTopic, deadLetterTopic }], handler }, async () => {
    return seen.includes('after') && (await lettersIn(deadLetterTopic)).length > 0;
  });
  const [letter] = await lettersIn(deadLetterTopic);
  assert.ok(letter);
  assert.deepEqual(
    [reasonOf(letter), letter.headers.kafka_row_sender_dead_letter_error_class],
    ['retry-refused', 'RangeError'],
  );
  assert.equal(letter.headers.kafka_row_sender_dead_letter_envelope, 'json-base64');
  assert.equal(letter.headers.kafka_row_sender_origin_topic, base);
  const inside = fromEnvelope(letter.value ?? Buffer.alloc(0));
  assert.ok(inside);
  assert.ok(inside.key?.equals(key));
  assert.deepEqual([String(inside.value), (inside.headers.big as Buffer).length], ['whole', 700_000]);
  assert.deepEqual((inside.headers.id as Buffer[]).map(String), ['1', '2']);
});

test('dead-letter topic with a small limit: smaller and smaller chunks, then an envelope, until it takes them', async () => {
  const [base, deadLetterTopic] = [await topic(LARGE), await topic({ 'max.message.bytes': '20000' })];
  const headers = { big: Buffer.alloc(15_000, 'h') };
  await producer.send({ topic: base, messages: [{ value: Buffer.alloc(90_000, 'v'), headers }, { value: 'after' }] });
  const seen: string[] = [];
  const handler: Handler = ({ value }) => {
    seen.push(String(value).slice(0, 5));
    throw new TypeError('never');
  };
  const topicOptions = [{ topic: base, deadLetterTopic, retries: 0 }];
  await consume({ topics: topicOptions, handler, recordBytesMax: 100_000 }, async () => {
    return (await lettersIn(deadLetterTopic)).length >= 2;
  });
  const letters = await lettersIn(deadLetterTopic);
  const enveloped = letters.find((each) => each.headers.kafka_row_sender_dead_letter_envelope);
  assert.equal(fromEnvelope(enveloped?.value ?? Buffer.alloc(0))?.value?.length, 90_000);
  assert.ok(letters.some(({ value }) => String(value) === 'after'));
  assert.deepEqual(seen, ['vvvvv', 'after']);
});

/** Headers of retries, as no consumer writes them. */
const MALFORMED: readonly IHeaders[] = [
  { retriable_kafka_attempt: 'one' },
  { retriable_kafka_attempt: encodeNumber(1), retriable_kafka_timestamp: Buffer.alloc(7) },
  { retriable_kafka_attempt: [encodeNumber(1), encodeNumber(2)] },
  { retriable_kafka_attempt: Buffer.alloc(8, 0xff) },
  { retriable_kafka_attempt: encodeNumber(2 ** 40) },
];

test('missing and malformed headers, counts and contents that contradict each other: buried with the reason', async () => {
  const [base, retryTopic, deadLetterTopic] = [await topic(), await topic(), await topic()];
  const group = Buffer.alloc(16, 7);
  const chunk = (id: number, count: number, changes: IHeaders = {}) => ({
    key: group,
    value: `chunk ${id}`,
    headers: { ...(chunkHeaders({ group, id, count }) as IHeaders), ...changes },
  });
  const without = (name: string) => {
    const { [name]: _, ...headers } = chunk(0, 2).headers;
    return { key: group, value: 'x', headers };
  };
  const messages = [
    without('retriable_kafka_chunk_id'),
    without('retriable_kafka_chunk_group'),
    chunk(0, 2, { retriable_kafka_number_of_chunks: '2' }),
    chunk(0, 2, { retriable_kafka_chunk_group: 'short' }),
    chunk(5, 2),
    chunk(0, 20_000),
    chunk(0, 2, { retriable_kafka_number_of_chunks: encodeNumber(10 ** 9) }),
    chunk(0, 2, { retriable_kafka_number_of_chunks: Buffer.alloc(8, 0xff) }),
    chunk(0, 3),
    chunk(1, 4),
    { value: 'good' },
  ];
  await producer.send({ topic: base, messages });
  await producer.send({ topic: retryTopic, messages: MALFORMED.map((headers) => ({ value: 'bad', headers })) });
  const seen: string[] = [];
  await consume(
    { topics: [{ topic: base, retryTopic, deadLetterTopic }], handler: ({ value }) => void seen.push(String(value)) },
    async () => {
      return seen.includes('good') && (await lettersIn(deadLetterTopic)).length >= 15;
    },
  );
  const reasons = (await lettersIn(deadLetterTopic)).map(reasonOf).sort();
  assert.deepEqual(reasons, [
    ...Array(2).fill('chunk-count-contradicts'),
    'chunk-id-out-of-range',
    ...Array(8).fill('malformed-header'),
    ...Array(2).fill('missing-header'),
    ...Array(2).fill('too-many-chunks'),
  ]);
  assert.deepEqual(seen, ['good']);
});

test('a chunk whose rest does not come keeps a bounded number of later records in mind, and is buried then', async () => {
  const [base, deadLetterTopic] = [await topic(), await topic()];
  const [windowMax, later] = [10, 150];
  const headers = chunkHeaders({ group: Buffer.alloc(16, 7), id: 0, count: 2 }) as IHeaders;
  const messages = Array.from({ length: later }, (_, n) => ({ value: String(n) }));
  await producer.send({ topic: base, messages: [{ value: 'half', headers }, ...messages] });
  const seen = new Set<string>();
  const handler: Handler = ({ value }) => void seen.add(String(value));
  await consume({ topics: [{ topic: base, deadLetterTopic }], handler, windowMax }, async () => {
    return seen.size === later && (await lettersIn(deadLetterTopic)).length === 1;
  });
  assert.deepEqual((await lettersIn(deadLetterTopic)).map(reasonOf), ['memory-full']);
});

test('headers that mean something elsewhere are ignored on a topic, whatever they say; no partition stands', async () => {
  const [base, retryTopic, deadLetterTopic] = [await topic(), await topic(), await topic()];
  const due = { retriable_kafka_timestamp: encodeNumber(2 ** 40) };
  const claims: IHeaders = {
    kafka_row_sender_origin_topic: 'somebody-elses',
    kafka_row_sender_origin_partition: '7',
    kafka_row_sender_origin_offset: '9'.repeat(30),
    kafka_row_sender_dead_letter_redriven: '0-999999',
    kafka_row_sender_dead_letter_envelope: 'json-base64',
  };
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`h${n}`, 'x']));
  const strange: IHeaders[] = [due, ...MALFORMED, claims, many, { ['__proto__']: 'x', constructor: 'y' }];
  const messages = strange.map((headers, n) => ({ value: String(n), headers }));
  await producer.send({ topic: base, messages });
  const latin1 = Buffer.from([0xe9, 0xff, 0xfe]);
  const others = { name: latin1, none: null, twice: ['a', 'b'] };
  await sendLarge({ topic: base, key: null, value: Buffer.from('others'), headers: others, spread: 0 });
  // Written long ago, so that the longest delay is over; and written in the future.
  const [past, future] = [String(Date.now() - 600_000), String(Date.now() + 600_000)];
  const retries = [
    { value: 'past', headers: { retriable_kafka_attempt: encodeNumber(1), ...due }, timestamp: past },
    { value: 'future', headers: { retriable_kafka_attempt: encodeNumber(1), ...due }, timestamp: future },
  ];
  await producer.send({ topic: retryTopic, messages: retries });
  const seen = new Map<string, Parameters<Handler>[0]>();
  const handler: Handler = (message) => {
    seen.set(String(message.value), message);
    if (String(message.value) === '6') throw new Error('with claims');
  };
  const rule = { topic: base, retryTopic, deadLetterTopic, retries: 0, delayMaxMs: 60_000 };
  await consume({ topics: [rule], handler }, async () => {
    return seen.size === messages.length + 3 && (await lettersIn(deadLetterTopic)).length === 1;
  });
  for (let n = 0; n < messages.length; n += 1) assert.equal(seen.get(String(n))?.attempt, 0);
  const [letter] = await lettersIn(deadLetterTopic);
  assert.equal(letter?.headers.kafka_row_sender_origin_topic, base);
  assert.equal(letter?.headers.kafka_row_sender_dead_letter_redriven, undefined);
  assert.equal(letter?.headers.kafka_row_sender_dead_letter_envelope, undefined);
  assert.equal(Object.keys(seen.get('7')?.headers ?? {}).length, 5_000);
  const { name, none, twice } = seen.get('others')?.headers ?? {};
  assert.ok(Buffer.isBuffer(name) && name.equals(latin1));
  assert.deepEqual([none, String(twice)], [null, 'a,b']);
});

test('a record whose topic is gone when it is written: the dead letter instead, with the reason', async () => {
  const deadLetterTopic = await topic();
  const gone = (name: string) => Promise.reject(new RelayError('KAFKA_TOPIC_MISSING', `no ${name}`));
  const record = { topic: 'gone', partition: null, key: null, value: null, headers: {}, mayBeSplit: true };
  const world = {
    limitOf: () => 1_000_000,
    partitionsOf: (name: string) => (name === 'gone' ? gone(name) : Promise.resolve(1)),
  };
  const bury = (reason: string) => ({ ...record, kind: 'dead', topic: deadLetterTopic, headers: { reason } }) as const;
  for (const [kind, reason] of [
    ['retry', 'retry-topic-missing'],
    ['output', 'output-topic-missing'],
  ] as const) {
    const [routed] = await routeGroup({ records: [{ ...record, kind }], bury }, world, 0);
    assert.deepEqual([routed?.topic, routed?.headers.reason], [deadLetterTopic, reason]);
  }
  const dead = { records: [{ ...record, kind: 'dead' as const }], bury: null };
  await assert.rejects(routeGroup(dead, world, 0), { code: 'KAFKA_TOPIC_MISSING' });
});
