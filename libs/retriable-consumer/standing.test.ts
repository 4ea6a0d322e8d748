/** What is said, and what health says, of a partition that stands and of a consumer that has ended. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Consumer } from 'kafkajs';
import { createProgressHealth } from '#observability';
import { type Clock, type Logger, RelayError, silentLogger } from '#runtime';
import { ConsumerEnd } from './consumer-end.ts';
import { PartitionWatch } from './partition-watch.ts';

const STALL_MS = 60_000;

function setUp() {
  let nowMs = 0;
  const clock: Clock = { nowMs: () => nowMs, wallMs: () => nowMs, sleep: async () => undefined };
  const lines: string[] = [];
  const note = (_: object, text: string) => void lines.push(text);
  const logger: Logger = { ...silentLogger, info: note, error: note, fatal: note };
  const health = createProgressHealth({ clock, stallMs: STALL_MS });
  const complaints: string[] = [];
  const complain = (text: string) => void complaints.push(text);
  const watch = new PartitionWatch({ groupId: 'g', logger, health, clock, stallMs: STALL_MS, complain });
  watch.assigned({ orders: [0, 1] });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const look = (isWaiting = false) => {
    watch.check(() => isWaiting);
    return health.health().reasons.join('; ');
  };
  const read = (position: number, stable = position, end = stable, partition = 0) =>
    watch.read({ topic: 'orders', partition, position, stable, end, hasRecords: position < stable });
  return { watch, health, lines, complaints, logger, pass, look, read };
}

test('a batch that cannot be read: where it is, and what helps, once; forgotten when it is read', () => {
  const { watch, lines, complaints, look, read } = setUp();
  const details = { offset: 17, nextOffset: 20 };
  watch.unreadable(
    'orders',
    1,
    new RelayError('KAFKA_UNREADABLE', 'offsets 17 to 19: the checksum is wrong', { details }),
  );
  assert.match(look(), /reading orders\/1: cannot be read: offsets 17 to 19.*set its offset of orders:1 to 20/);
  look();
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /partition 1 of orders stands, the others go on/);
  assert.deepEqual(complaints, lines);
  assert.equal(watch.standing, 1);
  read(20, 20, 20, 1);
  assert.equal(look(), '');
  assert.equal(watch.standing, 0);
  assert.equal(lines.length, 2);
});

test('a right that is missing shows at once; a fault that passes only after the stall time', () => {
  const { watch, look, pass } = setUp();
  watch.unreadable('orders', 0, new RelayError('KAFKA_REFUSED', 'no right'));
  assert.match(look(), /no right/);
  watch.assigned({ orders: [0] });
  assert.equal(look(), '');
  watch.unreadable('orders', 0, new RelayError('KAFKA_UNREACHABLE', 'a disk'));
  assert.equal(look(), '');
  pass(STALL_MS);
  assert.match(look(), /was not read for 60 s: a disk/);
});

test('nobody answers for a partition: unhealthy after the stall time, but not while it waits by its own will', () => {
  const { look, pass, read } = setUp();
  pass(STALL_MS);
  assert.equal(look(true), '');
  pass(STALL_MS - 1);
  read(0, 0, 0, 1);
  assert.equal(look(), '');
  pass(1);
  assert.match(look(), /^reading orders\/0: was not read for 60 s: no broker answers for it$/);
});

test('records behind a transaction that stays open', () => {
  const { look, pass, read } = setUp();
  for (let second = 0; second < 60; second += 1) {
    read(5, 5, 9);
    read(0, 0, 0, 1);
    assert.equal(look(), '');
    pass(1_000);
  }
  read(5, 5, 9);
  read(0, 0, 0, 1);
  assert.match(look(), /reading orders\/0: records wait at offset 5 for 60 s behind a transaction/);
  read(5, 9, 9);
  assert.equal(look(), '');
});

function fakeConsumer() {
  const emitter = new EventEmitter();
  const events = { GROUP_JOIN: 'join', REBALANCING: 'rebalancing', CRASH: 'crash' };
  const consumer = { events, on: (name: string, listener: () => void) => emitter.on(name, listener) };
  return { emitter, consumer: consumer as unknown as Pick<Consumer, 'on' | 'events'> };
}

test('a consumer that ends says so on standard error with a silent logger, to health, and to whoever waits', async (t) => {
  const { health } = setUp();
  const said: string[] = [];
  t.mock.method(process.stderr, 'write', (text: string) => said.push(text) > 0);
  const end = new ConsumerEnd({ groupId: 'billing', logger: silentLogger, health, isStopping: () => false });
  const { emitter, consumer } = fakeConsumer();
  end.watch(consumer);
  emitter.emit('crash', { payload: { error: new Error('broken'), restart: true } });
  assert.equal(end.fault, null);
  assert.equal(said.length, 0);
  emitter.emit('crash', { payload: { error: new TypeError('a defect'), restart: false } });
  assert.equal((await end.ended)?.message, 'a defect');
  assert.match(said.join(), /consumer of group billing has ended by a fault.*a defect/);
  assert.match(health.health().reasons.join(), /^consumer: ended by a fault: a defect/);
});

test('a consumer that is stopped has not ended by a fault; one that does not come back from a rebalance is unhealthy', async () => {
  const { health, pass } = setUp();
  let stopping = false;
  const end = new ConsumerEnd({ groupId: 'g', logger: silentLogger, health, isStopping: () => stopping });
  const { emitter, consumer } = fakeConsumer();
  end.watch(consumer);
  emitter.emit('rebalancing', { payload: {} });
  pass(STALL_MS);
  assert.match(health.health().reasons.join(), /consumer: has work but made no progress/);
  emitter.emit('join', { payload: {} });
  assert.equal(health.health().healthy, true);
  stopping = true;
  emitter.emit('crash', { payload: { error: new Error('while stopping'), restart: false } });
  end.stopped();
  assert.equal(await end.ended, null);
});
