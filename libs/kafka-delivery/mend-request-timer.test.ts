/** The mending of kafkajs's request queue: it fits this version, refuses any other, and an idle connection rests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RelayError, silentLogger } from '#runtime';
import { failOnLeaks, testEnvironment, uniqueName } from '#testkit';
import { createKafkaPort } from './index.ts';
import { mendRequestTimer } from './mend-request-timer.ts';

failOnLeaks();

const IDLE_MS = 3_000;
/** One per cent of a core. */
const CPU_SHARE_MAX = 0.01;

test('another request queue is refused loudly', () => {
  const others = [
    undefined,
    {},
    class {},
    class {
      scheduleCheckPendingRequests() {}
    },
  ];
  for (const other of others) {
    assert.throws(
      () => mendRequestTimer(other),
      (error) => error instanceof RelayError && error.code === 'INTERNAL',
    );
  }
});

test('a connected, idle producer uses less than 1 % of a core and warns of nothing', async () => {
  const warnings: string[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning.name);
  process.on('warning', onWarning);
  const port = createKafkaPort({
    brokers: testEnvironment().kafkaBrokers,
    clientId: 'idle',
    logger: silentLogger,
    prefix: uniqueName('idle'),
    outboxTable: 'outbox',
  });
  const session = await port.open(uniqueName('idle'));
  try {
    const before = process.cpuUsage();
    await sleep(IDLE_MS);
    const { user, system } = process.cpuUsage(before);
    const share = (user + system) / 1000 / IDLE_MS;
    assert.ok(share < CPU_SHARE_MAX, `${(share * 100).toFixed(2)} % of a core`);
    assert.deepEqual(warnings, []);
  } finally {
    process.off('warning', onWarning);
    await session.close();
    await port.close();
  }
});
