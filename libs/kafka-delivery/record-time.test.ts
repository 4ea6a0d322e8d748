/** A process whose clock is hours ahead of the brokers': refused once, then it delivers with their time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError, silentLogger, systemClock } from '#runtime';
import { createTestTopic, failOnLeaks, readTopic, testEnvironment, uniqueName } from '#testkit';
import { createKafkaPort } from './index.ts';
import { createRecordTime } from './record-time.ts';

failOnLeaks();

/** Brokers take records up to an hour ahead of their own clock. */
const AHEAD_MS = 2 * 3_600_000;
const CLOSE_MS = 60_000;

test('a clock two hours ahead: one transaction is refused, the next session delivers with the time of the brokers', async () => {
  const prefix = uniqueName('clock');
  const [topic, markers] = await Promise.all([
    createTestTopic({ name: prefix }),
    createTestTopic({ name: `${prefix}.markers` }),
  ]);
  let aheadMs = AHEAD_MS;
  const clock = { ...systemClock, wallMs: () => Date.now() + aheadMs };
  const brokers = testEnvironment().kafkaBrokers;
  const port = createKafkaPort({
    brokers,
    clientId: prefix,
    logger: silentLogger,
    prefix,
    outboxTable: 'outbox',
    clock,
  });
  const deliver = async (id: number): Promise<void> => {
    const session = await port.open(`${prefix}.sender`);
    try {
      const record = { topic: topic.name, key: null, value: Buffer.from(`${id}`), headers: {}, spread: id, size: 10 };
      await session.transact([record], [{ kind: 'lane', lane: 0, value: id }]);
    } finally {
      await session.close();
    }
  };
  try {
    const fault = await deliver(1).catch((error: unknown) => error);
    assert.ok(fault instanceof RelayError);
    assert.equal(fault.verdict, 'retry');
    await deliver(1);
    // The clock is put right: a time once taken from the brokers does not go with it.
    aheadMs = 0;
    await deliver(2);
    const records = await readTopic(topic.name);
    assert.deepEqual(
      records.map(({ value }) => String(value)),
      ['1', '2'],
    );
    for (const { timestampMs } of records) assert.ok(Math.abs(timestampMs - Date.now()) < CLOSE_MS, `${timestampMs}`);
    assert.equal((await port.readMarkers('lane', [0])).get(0), 2);
  } finally {
    await port.close();
    await Promise.all([topic.drop(), markers.drop()]);
  }
});

test('nobody is asked before a broker has refused; a session keeps its clock; brokers that do not tell leave ours', async () => {
  let [wallMs, nowMs, asked] = [1_000_000, 0, 0];
  const clock = { nowMs: () => nowMs, wallMs: () => wallMs, sleep: async () => undefined };
  const time = createRecordTime({ clock, logger: silentLogger });
  const ask = (answer: number | null) => async () => {
    asked += 1;
    return answer;
  };
  const ours = await time.begin(ask(-500_000));
  assert.deepEqual([ours(), asked], [1_000_000, 0]);
  time.refused();
  assert.equal((await time.begin(ask(null)))(), 1_000_000);
  const theirs = await time.begin(ask(-500_000));
  wallMs = 5;
  nowMs = 70.4;
  assert.deepEqual([theirs(), asked], [500_070, 2]);
});
