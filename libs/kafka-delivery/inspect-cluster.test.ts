/** What `doctor` sees of a real cluster: settings of topics and brokers, the marker groups, and a transaction that writes nothing. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RelayError, silentLogger, systemClock, withDeadline } from '#runtime';
import { createTestTopic, failOnLeaks, type TestTopic, testEnvironment, testKafka, uniqueName } from '#testkit';
import {
  connectKafka,
  createKafkaPortOn,
  createTopicAdmin,
  inspectCluster,
  inspectMarkerGroup,
  listProducers,
  rehearseTransaction,
} from './index.ts';

const prefix = uniqueName('inspect');
const base = { clientId: 'inspect-test', logger: silentLogger, prefix, outboxTable: 'outbox' };
const connection = connectKafka({ ...base, brokers: testEnvironment().kafkaBrokers });
const JOIN_DEADLINE_MS = 20_000;

let bad: TestTopic;

before(async () => {
  bad = await createTestTopic({
    prefix: 'inspect',
    partitions: 3,
    config: { 'unclean.leader.election.enable': 'true', 'cleanup.policy': 'compact', 'max.message.bytes': '2000' },
  });
});
after(async () => {
  await bad.drop();
  const admin = createTopicAdmin(connection);
  await admin.deleteTopics([`${prefix}.markers`]);
  await admin.close();
});
failOnLeaks();

test('brokers and topics are described with their settings; a topic that is not there is, too', async () => {
  const facts = await inspectCluster(connection, [bad.name, '__consumer_offsets', 'nobody.knows.it']);
  for (const broker of facts.brokers) {
    assert.equal(broker.fault, null);
    assert.equal(broker.missingApi, null);
    assert.match(broker.config?.get('transaction.max.timeout.ms') ?? '', /^\d+$/);
  }
  assert.ok((facts.features.get('metadata.version') ?? 0) > 0);
  const topic = facts.topics.get(bad.name);
  assert.equal(topic?.config?.get('unclean.leader.election.enable'), 'true');
  assert.equal(topic?.config?.get('cleanup.policy'), 'compact');
  assert.equal(topic?.config?.get('max.message.bytes'), '2000');
  assert.deepEqual([topic?.mayRead, topic?.mayWrite], [true, true]);
  assert.deepEqual(
    topic?.partitions.map(({ partition, replicas, inSync }) => [partition, replicas, inSync]),
    [0, 1, 2].map((partition) => [partition, 1, 1]),
  );
  assert.equal(facts.topics.get('nobody.knows.it')?.fault?.code, 'KAFKA_TOPIC_MISSING');
  assert.ok((facts.topics.get('__consumer_offsets')?.partitions.length ?? 0) > 0);
});

test('a rehearsal leaves nothing behind and tells the time there; the group is Dead before the first marker, Empty after', async () => {
  const admin = createTopicAdmin(connection);
  const port = createKafkaPortOn(connection);
  try {
    await admin.createMarkerTopic(2);
    const startedMs = systemClock.nowMs();
    const { clockAheadMs } = await rehearseTransaction(connection, `${prefix}.doctor`);
    assert.ok(clockAheadMs !== null);
    // Broker and test share a machine and its clock: what is off is the time of the question.
    assert.ok(Math.abs(clockAheadMs.value) <= systemClock.nowMs() - startedMs);
    assert.deepEqual([...(await port.readMarkers('lane', [0, 1])).values()], [-1, -1]);
    assert.equal((await inspectMarkerGroup(connection, 'lane')).state, 'Dead');
    const session = await port.open(`${prefix}.one`);
    await session.transact([], [{ kind: 'lane', lane: 1, value: 77 }]);
    await session.close();
    await rehearseTransaction(connection, `${prefix}.doctor`);
    assert.equal((await port.readMarkers('lane', [1])).get(1), 77);
    const group = await inspectMarkerGroup(connection, 'lane');
    assert.deepEqual([group.state, group.members, group.mayRead], ['Empty', 0, true]);
  } finally {
    await port.close();
    await admin.close();
  }
});

test('producers under the prefix are known with the begin of their last transaction, open or ended', async () => {
  const one = async () => {
    const found = (await listProducers(connection)).filter(
      ({ transactionalId }) => transactionalId === `${prefix}.two`,
    );
    assert.equal(found.length, 1);
    return found[0]?.startedAtMs ?? 0;
  };
  const port = createKafkaPortOn(connection);
  const session = await port.open(`${prefix}.two`);
  const deliver = (value: number) => session.transact([], [{ kind: 'lane', lane: 0, value }]);
  await deliver(1);
  const first = await one();
  assert.ok(first > 0);
  assert.equal(await one(), first);
  await deliver(2);
  assert.ok((await one()) > first);
  await session.close();
  await port.close();
});

test('a consumer that joined the group of the markers is seen', async () => {
  const consumer = testKafka(testEnvironment().kafkaBootstrap).consumer({ groupId: `${prefix}.outbox.retry` });
  await consumer.connect();
  try {
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await consumer.subscribe({ topic: bad.name });
    await consumer.run({ eachMessage: async () => undefined });
    await withDeadline(joined, JOIN_DEADLINE_MS, 'joining the group');
    assert.equal((await inspectMarkerGroup(connection, 'retry')).members, 1);
  } finally {
    await consumer.disconnect();
  }
});

test('a timeout above what the brokers allow is refused as a setting, an absent cluster as unreachable', async () => {
  const patient = connectKafka({
    ...base,
    brokers: testEnvironment().kafkaBrokers,
    transactionTimeoutMs: 2_000_000_000,
  });
  await assert.rejects(rehearseTransaction(patient, `${prefix}.doctor`), { code: 'CONFIG_INVALID' });
  const nowhere = connectKafka({ ...base, brokers: ['127.0.0.1:1'] });
  const fault = await inspectCluster(nowhere, []).catch((error: unknown) => error);
  assert.ok(fault instanceof RelayError);
  assert.equal(fault.code, 'KAFKA_UNREACHABLE');
});
