/** Notifications: what is told and how often, a webhook that fails first, one that is away, a callback that throws. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { SenderEvent, WriterEvent } from '#outbox';
import { type Stall, silentLogger } from '#runtime';
import { until } from '#testkit';
import { createNotifier, type Notification } from './index.ts';

const retry = (attempt: number): SenderEvent => ({
  kind: 'sender-retry',
  code: 'KAFKA_UNREACHABLE',
  message: 'no broker',
  attempt,
  delayMs: 1,
});
const DELIVERED: SenderEvent = { kind: 'delivered', rows: 1, bytes: 1, lanes: [0], transactionMs: 1 };
const DEAD: SenderEvent = { kind: 'row-dead', lane: 2, id: 7, attempts: 3, policy: 'dead-letter' };
const refused = (attempts: number): SenderEvent => ({
  kind: 'row-retry-failed',
  lane: 2,
  id: 7,
  code: 'KAFKA_RECORD_REFUSED',
  attempts,
  delayMs: 1,
});

const tooLarge = (attempts: number): SenderEvent => ({
  kind: 'rows-still-too-large',
  lane: 2,
  topic: 't',
  rows: 40,
  id: 9,
  message: 'topic t takes at most 10000 bytes',
  attempts,
  delayMs: 1,
});

test('a lasting fault is told once, its end once, a refused row at the bound, a dead row and a halt at once', () => {
  const told: Notification[] = [];
  const notifier = createNotifier({
    instance: 'i',
    afterAttempts: 3,
    callback: (notification) => void told.push(notification),
    logger: silentLogger,
  });
  notifier.onSenderEvent(DELIVERED);
  for (const attempt of [1, 2, 3, 4, 5]) notifier.onSenderEvent(retry(attempt));
  notifier.onSenderEvent(DELIVERED);
  notifier.onSenderEvent(DELIVERED);
  for (const attempts of [1, 2, 3, 4]) notifier.onSenderEvent(refused(attempts));
  for (const attempts of [2, 3, 4]) notifier.onSenderEvent(tooLarge(attempts));
  notifier.onSenderEvent(DEAD);
  const halted: WriterEvent = { kind: 'source-halted', source: 's', code: 'DB_SCHEMA', message: 'no table' };
  notifier.onWriterEvent(halted);
  notifier.onSenderEvent({ kind: 'lane-halted', lane: 1, why: 'marker' });
  assert.deepEqual(
    told.map(({ kind, attempts, code }) => [kind, attempts, code]),
    [
      ['retrying', 3, 'KAFKA_UNREACHABLE'],
      ['recovered', undefined, undefined],
      ['row-refused', 3, 'KAFKA_RECORD_REFUSED'],
      ['row-refused', 3, 'KAFKA_RECORD_REFUSED'],
      ['row-dead', 3, undefined],
      ['source-halted', undefined, 'DB_SCHEMA'],
      ['lane-halted', undefined, undefined],
    ],
  );
  assert.ok(told.every(({ instance, at }) => instance === 'i' && !Number.isNaN(Date.parse(at))));
});

test('attempts end with a look that finds nothing, those of a topic not with rows of another; a stall and its end are told by cause', () => {
  const told: Notification[] = [];
  const callback = (notification: Notification) => void told.push(notification);
  const notifier = createNotifier({ instance: 'i', afterAttempts: 2, callback, logger: silentLogger });
  notifier.onIdle('sender');
  notifier.onSenderEvent(retry(2));
  notifier.onIdle('sender');
  const place = {
    code: 'KAFKA_TOPIC_MISSING',
    cause: 'topic-missing',
    message: 'no t',
    topic: 't',
    partition: null,
  } as const;
  const blocked = { kind: 'target-blocked', ...place, isAside: true, waiting: 1, forMs: 1, delayMs: 1 } as const;
  notifier.onSenderEvent({ ...blocked, attempt: 2 });
  notifier.onSenderEvent(DELIVERED);
  notifier.onSenderEvent({ ...blocked, attempt: 3 });
  notifier.onSenderEvent({ kind: 'target-back', topic: 't', partition: null, blockedMs: 2 });
  notifier.onSenderEvent({ ...blocked, attempt: 2 });
  const stall: Stall = { cause: 'topic-missing', part: 'topic t', rows: null, forMs: 61_000, fault: null };
  notifier.onStall(stall);
  notifier.onStallsEnd(stall);
  // Told as halts already.
  notifier.onStall({ ...stall, cause: 'lane-halted', part: 'lane 1' });
  assert.deepEqual(
    told.map(({ kind, cause, text }) => [kind, cause ?? text.slice(0, 7)]),
    [
      ['retrying', 'sender '],
      ['recovered', 'sender '],
      ['retrying', 'topic t'],
      ['recovered', 'topic t'],
      ['retrying', 'topic t'],
      ['stalled', 'topic-missing'],
      ['recovered', 'topic-missing'],
    ],
  );
});

test('the webhook gets each notification as JSON, in order, again after a bad answer', async () => {
  const bodies: Notification[] = [];
  let answers = 0;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    answers += 1;
    if (answers > 1) bodies.push(JSON.parse(body));
    response.writeHead(answers === 1 ? 503 : 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const notifier = createNotifier({
    instance: 'i',
    afterAttempts: 1,
    webhookUrl: `http://127.0.0.1:${port}/hook`,
    logger: silentLogger,
    random: () => 0,
  });
  try {
    notifier.onSenderEvent(DEAD);
    notifier.onSenderEvent(retry(1));
    await until('both notifications arrived', () => bodies.length === 2, 10_000);
    assert.deepEqual(
      bodies.map(({ kind, outboxId }) => [kind, outboxId]),
      [
        ['row-dead', 7],
        ['retrying', undefined],
      ],
    );
  } finally {
    await notifier.close();
    server.close();
  }
});

test('a callback that throws and a webhook that is away are in nobody’s way', async () => {
  const warned: string[] = [];
  const logger = { ...silentLogger, warn: (_facts: object, line: string) => void warned.push(line) };
  const notifier = createNotifier({
    instance: 'i',
    afterAttempts: 1,
    callback: () => {
      throw new Error('no');
    },
    webhookUrl: 'http://127.0.0.1:9/hook',
    logger,
  });
  for (let count = 0; count < 150; count += 1) notifier.onSenderEvent(DEAD);
  await notifier.close(10);
  assert.ok(warned.some((line) => /callback/.test(line)));
  assert.ok(warned.some((line) => /dropped/.test(line)));
});
