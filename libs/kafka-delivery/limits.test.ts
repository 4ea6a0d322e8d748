/** A real broker that throttles, takes only small records, closes the connection at large ones, or does not answer at all. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { outboxId, pickLane, Sender, type SenderEvent } from '#outbox';
import { silentLogger, systemClock, systemRandom } from '#runtime';
import {
  createFakeDoorbells,
  createFakeStore,
  createTestTopic,
  FakeOutboxTables,
  failOnLeaks,
  readTopic,
  setClientQuota,
  startProxy,
  type TestTopic,
  testEnvironment,
  testKafka,
  uniqueName,
} from '#testkit';
import { connectKafka, createKafkaPort, type KafkaOptions } from './index.ts';

const DEADLINE_MS = Number(process.env.DL ?? 60_000);
const prefix = uniqueName('limits');
const topics: TestTopic[] = [];

async function newTopic(options: Parameters<typeof createTestTopic>[0] = {}): Promise<string> {
  const topic = await createTestTopic({ prefix: 'krs-limits', ...options });
  topics.push(topic);
  return topic.name;
}

before(() => newTopic({ name: `${prefix}.markers`, partitions: 8 }));
after(() => Promise.all(topics.map((topic) => topic.drop())));
failOnLeaks();

const options = (changes: Partial<KafkaOptions> = {}): KafkaOptions => ({
  brokers: testEnvironment().kafkaBrokers,
  clientId: uniqueName('limits'),
  logger: silentLogger,
  prefix,
  outboxTable: uniqueName('outbox'),
  ...changes,
});

interface Row {
  readonly key: string;
  readonly bytes: number;
}

interface Scene {
  readonly topic: string;
  readonly kafka: KafkaOptions;
  readonly rows: readonly Row[];
  readonly limits?: { rowsMax: number; bytesMax: number };
  readonly lanes?: number;
  readonly onEvent?: (event: SenderEvent) => void;
  /** The sender runs until then. */
  readonly isDone: (arrived: number, events: readonly SenderEvent[]) => boolean;
}

const sequenceOf = (id: unknown) => Number(String(id).slice(2));

/** Delivers an outbox in memory to the real Kafka. The ids that readers see, in their order, and what the sender said. */
async function deliver(scene: Scene): Promise<{ ids: number[]; events: SenderEvent[] }> {
  const tables = new FakeOutboxTables(systemClock);
  const store = createFakeStore({ tables });
  const lanes = await store.writer.registerSource({ source: 's', position: 0n, gaps: [], lanes: scene.lanes ?? 2 });
  const { epoch } = await store.writer.beginTerm('s', 'w');
  const messages = scene.rows.map((row, index) => {
    const key = Buffer.from(row.key);
    const id = outboxId(pickLane(lanes, key, index + 1), index + 1);
    return {
      id,
      eventId: `s:${index + 1}`,
      topic: scene.topic,
      key,
      value: Buffer.alloc(row.bytes, 'v'),
      headers: null,
    };
  });
  const next = { position: 1n, gaps: { put: [], drop: [] }, nextSequence: messages.length + 1 };
  await store.writer.append({ source: 's', epoch, expectedNextSequence: 1, next, messages });
  const stop = new AbortController();
  const events: SenderEvent[] = [];
  const port = createKafkaPort(scene.kafka);
  let arrived = 0;
  const sender = new Sender({
    transactionalId: uniqueName('me'),
    store: store.sender,
    kafka: port,
    doorbell: createFakeDoorbells().doorbell(),
    clock: systemClock,
    random: systemRandom,
    limits: scene.limits ?? { rowsMax: 500, bytesMax: 4_000_000 },
    pollIntervalMs: 20,
    leaseMs: 20_000,
    tickMs: 200,
    markerSettleMs: 5_000,
    markerRefreshMs: 60_000,
    backoff: { baseMs: 100, maxMs: 1_000 },
    retriesMax: 1_000,
    rowFaultPolicy: 'dead-letter',
    targetPatienceMs: 0,
    waiting: { rowsMax: 1_000, bytesMax: 1_000_000 },
    parkedKeysMax: 1_000,
    trimRowsMax: 1_000,
    trimIntervalMs: 20,
    onEvent: (event) => {
      events.push(event);
      if (event.kind === 'delivered') arrived += event.rows;
      if (event.kind === 'row-recovered') arrived += 1;
      scene.onEvent?.(event);
      if (scene.isDone(arrived, events)) stop.abort();
    },
  });
  await sender.run(AbortSignal.any([stop.signal, AbortSignal.timeout(DEADLINE_MS)]));
  await port.close();
  const ids = (await readTopic(scene.topic)).map(({ headers }) => sequenceOf(headers.id));
  return { ids, events };
}

const kinds = (events: readonly SenderEvent[], kind: SenderEvent['kind']) =>
  events.filter((event) => event.kind === kind);

const inOrder = (ids: readonly number[]) => [...ids].sort((a, b) => a - b);

test('a produce quota slows rows down, and nothing times out', { timeout: 2 * DEADLINE_MS }, async () => {
  const topic = await newTopic();
  const [broker = ''] = testEnvironment().kafkaBrokers;
  // Smaller requests, and a deadline for each that is far below what the broker imposes.
  const kafka = options({ requestTimeoutMs: 1_500, partitionBatchBytesMax: 50_000, requestBytesMax: 50_000 });
  const rows = Array.from({ length: 130 }, (_, index) => ({ key: `k${index % 7}`, bytes: 4_000 }));
  await setClientQuota(broker, kafka.clientId, 'producer_byte_rate', 40_000);
  const { ids, events } = await deliver({ topic, kafka, rows, isDone: (arrived) => arrived === rows.length });
  await setClientQuota(broker, kafka.clientId, 'producer_byte_rate', null);
  assert.deepEqual(
    inOrder(ids),
    rows.map((_, index) => index + 1),
  );
  assert.deepEqual(kinds(events, 'session-lost'), []);
});

test('rows too large for their topic are known before they are sent, and set aside together', async () => {
  const topic = await newTopic({ config: { 'max.message.bytes': '10000' } });
  const rows = Array.from({ length: 120 }, (_, index) => ({
    key: `k${index % 40}`,
    bytes: index < 80 ? 100_000 : 100,
  }));
  // Keys of the large ones wait, those of the others do not.
  const good = rows.map((row, index) => ({ ...row, key: index < 80 ? row.key : `g${index}` }));
  let raised = false;
  const raise = async () => {
    raised = true;
    const admin = testKafka(testEnvironment().kafkaBootstrap).admin();
    await admin.connect();
    const configEntries = [{ name: 'max.message.bytes', value: '1000000' }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
    await admin.disconnect();
  };
  const early: number[] = [];
  const { ids, events } = await deliver({
    topic,
    kafka: options(),
    rows: good,
    limits: { rowsMax: 500, bytesMax: 1_000_000 },
    onEvent: (event) => {
      if (event.kind === 'delivered' && !raised) early.push(event.rows);
      const goodOnes = early.reduce((sum, n) => sum + n, 0);
      if (goodOnes === 40 && !raised) void raise();
    },
    isDone: (arrived) => arrived === rows.length,
  });
  assert.deepEqual(
    inOrder(ids),
    rows.map((_, index) => index + 1),
    'every row arrives once the limit is raised',
  );
  for (let key = 0; key < 40; key += 1) {
    const ofKey = ids.filter((id) => id <= 80 && (id - 1) % 40 === key);
    assert.deepEqual(ofKey, inOrder(ofKey), 'in order per key');
  }
  assert.deepEqual(kinds(events, 'session-lost'), [], 'none of them was sent');
  assert.deepEqual(kinds(events, 'row-aside'), []);
  const told = events.flatMap((event) => (event.kind === 'rows-too-large' && event.attempts === 0 ? [event] : []));
  assert.equal(
    told.reduce((sum, { rows: count }) => sum + count, 0),
    40,
    'the first of each key',
  );
  assert.match(told[0]?.message ?? '', /takes at most 10000 bytes \(max\.message\.bytes\)/);
});

test('with compression it is the compressed size that counts', async () => {
  const topic = await newTopic({ config: { 'max.message.bytes': '10000' } });
  const rows = [1, 2, 3].map((index) => ({ key: `k${index}`, bytes: 200_000 }));
  const kafka = options({ compression: 'gzip' });
  const { ids, events } = await deliver({ topic, kafka, rows, isDone: (arrived) => arrived === rows.length });
  assert.deepEqual(inOrder(ids), [1, 2, 3]);
  assert.deepEqual(kinds(events, 'rows-too-large'), []);
});

test('a row at which the broker closes the connection is isolated as a refused one', {
  timeout: 2 * DEADLINE_MS,
}, async () => {
  const topic = await newTopic();
  const [broker = ''] = testEnvironment().kafkaBrokers;
  const [host = '', port = ''] = broker.split(':');
  const proxy = await startProxy({ host, port: Number(port) }, { kafka: true, requestBytesMax: 100_000 });
  try {
    const rows = Array.from({ length: 40 }, (_, index) => ({
      key: `k${index}`,
      bytes: index % 20 === 7 ? 150_000 : 500,
    }));
    const kafka = options({
      brokers: [`${proxy.host}:${proxy.port}`],
      requestBytesMax: 90_000,
      partitionBatchBytesMax: 90_000,
    });
    const { ids, events } = await deliver({
      topic,
      kafka,
      rows,
      isDone: (arrived, seen) =>
        arrived === 38 && kinds(seen, 'row-aside').length + kinds(seen, 'rows-too-large').length >= 2,
    });
    const large = [8, 28];
    assert.deepEqual(
      inOrder(ids),
      rows.map((_, index) => index + 1).filter((id) => !large.includes(id)),
    );
    const asides = events.flatMap((event) => (event.kind === 'row-aside' ? [event] : []));
    for (const { id } of asides) assert.ok(large.includes(id % 2 ** 43), `${id}`);
    assert.match(
      asides[0]?.message ?? '',
      /closes the connection at a record of \d+ bytes.*socket\.request\.max\.bytes/,
    );
  } finally {
    await proxy.stop();
  }
});

test('a first broker that swallows everything costs a head start, and is tried last from then on', async () => {
  const [broker = ''] = testEnvironment().kafkaBrokers;
  const [host = '', port = ''] = broker.split(':');
  const proxy = await startProxy({ host, port: Number(port) });
  proxy.blackHole();
  // Its deadline is beyond that of this test.
  const brokers = [`${proxy.host}:${proxy.port}`, broker];
  const connection = connectKafka(options({ brokers, connectionTimeoutMs: 10 * DEADLINE_MS, random: () => 0 }));
  try {
    for (let round = 0; round < 3; round += 1) {
      const users = connection.brokers();
      assert.ok((await users.describe([])).brokers.length > 0);
      await users.close();
    }
    assert.ok(proxy.connections <= 1, 'it was tried once');
  } finally {
    await proxy.stop();
  }
});
