/** Which stalls a process tells of, from its own progress and from looks at the tables; on a clock of the test's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import type { RelayLook } from './judge-stalls.ts';
import { StallMonitor } from './stall-monitor.ts';

const STALL_MS = 60_000;
const AWAY = new RelayError('KAFKA_UNREACHABLE', 'no broker');
const LANE = { lane: 0, state: 'running', why: null, holder: 'me', leaseExpired: false, deliveredId: 7 } as const;
const ME = { id: 'me', kind: 'sender', silentMs: 1, upMs: 1, stalls: [] } as const;
const WRITER = { ...ME, id: 'w', kind: 'writer' } as const;

const lookWith = (rows: number, changes: Partial<RelayLook> = {}): RelayLook => ({
  sources: [{ name: 'orders', leader: 'w', halted: null, mayWait: true }],
  lanes: [LANE],
  backlog: [{ lane: 0, source: 'orders', rows, oldestAgeMs: rows > 0 ? 1 : null }],
  members: [ME, WRITER],
  aside: { retrying: 0, parked: 0, waiting: 0, dead: 0 },
  ...changes,
});

const monitorOf = (writer: boolean, sender: boolean) =>
  new StallMonitor({ roles: { writer, sender }, writerId: 'w', senderId: 'me', stallMs: STALL_MS });

const told = (monitor: StallMonitor, nowMs: number) =>
  monitor.stalls(nowMs).map((stall) => `${stall.part} ${stall.cause}${monitor.isWhole(stall) ? ' whole' : ''}`);

test('a sender whose rows do not move stands, by the last fault; where no fault was seen, the cause is unknown', () => {
  const monitor = monitorOf(false, true);
  monitor.sender.failed(AWAY, 0);
  monitor.looked(lookWith(5), 0);
  assert.deepEqual(told(monitor, STALL_MS - 1), []);
  assert.deepEqual(told(monitor, STALL_MS), ['sender kafka-unreachable whole']);
  assert.equal(monitor.stalls(STALL_MS)[0]?.rows, 5);
  const silent = monitorOf(false, true);
  silent.looked(lookWith(5), 0);
  assert.deepEqual(told(silent, STALL_MS), ['sender unknown whole']);
  monitor.sender.moved(STALL_MS);
  monitor.onSenderEvent({ kind: 'delivered', rows: 1, bytes: 1, lanes: [0], transactionMs: 1 }, STALL_MS);
  assert.deepEqual(told(monitor, STALL_MS + 1), []);
});

test('a fault with nothing waiting is no stall, until nobody knows any more whether anything waits', () => {
  const monitor = monitorOf(false, true);
  monitor.sender.failed(AWAY, 0);
  for (let nowMs = 0; nowMs <= 600_000; nowMs += 5_000) monitor.looked(lookWith(0), nowMs);
  assert.deepEqual(told(monitor, 600_001), []);
  monitor.lookFailed(new RelayError('DB_UNREACHABLE', 'closed'));
  assert.deepEqual(told(monitor, 600_000 + STALL_MS), ['sender kafka-unreachable whole']);
});

test('rows that another sender holds are that one’s to tell of, those that nobody holds are everybody’s', () => {
  const monitor = monitorOf(false, true);
  const held = { ...LANE, holder: 'other' };
  monitor.looked(lookWith(5, { lanes: [held], members: [ME, { ...ME, id: 'other' }] }), 0);
  assert.deepEqual(told(monitor, STALL_MS), []);
  const lapsed = { ...held, leaseExpired: true };
  monitor.looked(lookWith(5, { lanes: [lapsed] }), STALL_MS);
  assert.deepEqual(told(monitor, 3 * STALL_MS), ['sender unknown whole', 'lane 0 lane-not-held']);
});

test('one lane or topic that stands while others move makes nobody unhealthy, and is told', () => {
  const monitor = monitorOf(false, true);
  const lanes = [LANE, { ...LANE, lane: 1 }];
  const backlog = [0, 1].map((lane) => ({ lane, source: 'orders', rows: 3, oldestAgeMs: 1 }));
  const place = {
    code: 'KAFKA_TOPIC_MISSING',
    cause: 'topic-missing',
    message: 'no t',
    topic: 't',
    partition: null,
  } as const;
  const blocked = { kind: 'target-blocked', ...place, isAside: true, waiting: 2, attempt: 1, delayMs: 5_000 } as const;
  for (let nowMs = 0; nowMs <= STALL_MS; nowMs += 5_000) {
    monitor.onSenderEvent({ ...blocked, forMs: nowMs }, nowMs);
    monitor.sender.moved(nowMs);
    monitor.looked(lookWith(3, { lanes: [{ ...LANE, deliveredId: nowMs }, lanes[1] ?? LANE], backlog }), nowMs);
  }
  assert.deepEqual(told(monitor, STALL_MS), ['topic t topic-missing', 'lane 1 topic-missing']);
  // Not said again: it is over.
  monitor.looked(lookWith(0), 3 * STALL_MS);
  assert.deepEqual(told(monitor, 3 * STALL_MS), []);
});

test('rows that are delivered and not deleted yet, since Kafka has not said that they are there for good, do not stand', () => {
  const monitor = monitorOf(false, true);
  for (let nowMs = 0; nowMs <= 3 * STALL_MS; nowMs += 5_000) {
    monitor.looked(lookWith(5), nowMs);
    monitor.sender.idle(nowMs);
  }
  assert.deepEqual(told(monitor, 3 * STALL_MS), []);
});

test('a standby is well while a leader lives, and stands when none does', () => {
  const monitor = monitorOf(true, false);
  monitor.watchSource('orders', 0);
  monitor.onWriterEvent({ kind: 'standing-by', source: 'orders' }, 0);
  const led = {
    members: [{ ...WRITER, id: 'other' }],
    sources: [{ name: 'orders', leader: 'other', halted: null, mayWait: true }],
  };
  monitor.looked(lookWith(0, led), 10 * STALL_MS);
  assert.deepEqual(told(monitor, 11 * STALL_MS - 1), []);
  monitor.looked(lookWith(0, { ...led, members: [WRITER] }), 11 * STALL_MS);
  assert.deepEqual(told(monitor, 11 * STALL_MS), ['source orders no-leader whole']);
  assert.match(monitor.stalls(11 * STALL_MS)[0]?.fault ?? '', /the last leader was other/);
});

test('a source that this process leads stands by what its steps met, each source alone; halted ones say so at once', () => {
  const monitor = monitorOf(true, false);
  const orders = monitor.watchSource('orders', 0);
  const invoices = monitor.watchSource('invoices', 0);
  for (const source of ['orders', 'invoices']) monitor.onWriterEvent({ kind: 'elected', source }, 0);
  orders.failed(new RelayError('DB_READ_ONLY', 'read only'), 0);
  invoices.moved(STALL_MS);
  assert.deepEqual(told(monitor, STALL_MS), ['source orders database-read-only whole']);
  const halted = { name: 'orders', leader: 'w', halted: 'a column went', mayWait: true };
  monitor.looked(lookWith(0, { sources: [halted] }), STALL_MS);
  assert.deepEqual(told(monitor, STALL_MS), ['source orders source-halted whole']);
});

test('a writer tells that no sender lives, a sender of lanes that are halted or paused and of rows set aside', () => {
  const nobody = { lanes: [{ ...LANE, holder: null }], members: [WRITER] };
  const writer = monitorOf(true, false);
  writer.looked(lookWith(5, nobody), 0);
  assert.deepEqual(told(writer, STALL_MS), ['senders no-sender']);
  writer.looked(lookWith(5, { ...nobody, members: [WRITER, { ...ME, kind: 'waiting' }] }), STALL_MS);
  assert.deepEqual(told(writer, 3 * STALL_MS), [], 'it lives, and says itself what it waits for');
  const sender = monitorOf(false, true);
  const aside = { retrying: 1, parked: 2, waiting: 0, dead: 1 };
  sender.looked(lookWith(5, { lanes: [{ ...LANE, state: 'halted' }], aside }), 0);
  assert.deepEqual(told(sender, 0), ['lane 0 lane-halted']);
  sender.looked(lookWith(5, { lanes: [{ ...LANE, state: 'paused' }], aside }), 1);
  sender.looked(lookWith(5, { lanes: [{ ...LANE, state: 'paused' }], aside }), 1 + STALL_MS);
  assert.deepEqual(told(sender, 1 + STALL_MS), [
    'lane 0 lane-paused',
    'rows set aside row-refused',
    'rows set aside dead-letters',
  ]);
});
