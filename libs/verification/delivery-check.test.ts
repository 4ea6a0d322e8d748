/** The comparison itself, on records and rows made by hand: each way a delivery can be wrong is told apart from the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outboxId } from '#outbox';
import { DeliveryCheck, type DeliveryCheckOptions, EXAMPLES_MAX } from './delivery-check.ts';
import { summarise, summaryLine } from './summarise.ts';

interface Sent {
  readonly position: number | bigint;
  readonly outboxId?: number;
  readonly key?: string | null;
  readonly partition?: number;
}

/** Rows 1..rows with key k<position % 3>, records in the order given. */
function check(rows: number, sent: readonly Sent[], options: Partial<DeliveryCheckOptions> = {}) {
  const subject = new DeliveryCheck({ source: 'orders', upTo: BigInt(rows), ...options });
  send(subject, sent);
  return list(subject, rows);
}

function send(subject: DeliveryCheck, sent: readonly Sent[]): void {
  const offsets = new Map<number, number>();
  for (const { position, outboxId, key, partition = 0 } of sent) {
    const offset = offsets.get(partition) ?? 0;
    offsets.set(partition, offset + 1);
    const text = key === undefined ? `k${Number(position) % 3}` : key;
    subject.record({
      topic: 't',
      partition,
      offset,
      key: text === null ? null : Buffer.from(text),
      headers: { id: `orders:${position}`, 'outbox-id': String(outboxId ?? position), source: 'orders' },
    });
  }
}

function list(subject: DeliveryCheck, rows: number) {
  for (let position = 1; position <= rows; position += 1) {
    subject.sourceRow(BigInt(position), Buffer.from(`k${position % 3}`));
  }
  return subject.result();
}

const all = (rows: number): Sent[] => Array.from({ length: rows }, (_, at) => ({ position: at + 1 }));

test('every row once and in order passes, with the line that programs look for', () => {
  const totals = summarise([check(100, all(100))]);
  assert.equal(totals.passed, true);
  assert.equal(summaryLine(totals), 'delivered 100 of 100: 0 missing, 0 duplicated, 0 out of order');
});

test('a row in no topic is missing, with its id and key', () => {
  const found = check(
    5,
    all(5).filter(({ position }) => position !== 4),
  );
  assert.deepEqual(found.missing, {
    count: 1,
    examples: [{ id: 'orders:4', key: 'k1', at: null, note: null }],
  });
  assert.equal(found.expected, 5);
  assert.equal(found.delivered, 4);
  assert.equal(summarise([found]).passed, false);
});

test('a second copy is duplicated, in whichever partition, and not out of order too', () => {
  const found = check(3, [...all(3), { position: 2 }, { position: 3, partition: 1 }]);
  assert.equal(found.duplicated.count, 2);
  assert.deepEqual(
    found.duplicated.examples.map(({ id, at }) => [id, at]),
    [
      ['orders:2', 't 0:3'],
      ['orders:3', 't 1:0'],
    ],
  );
  assert.equal(found.outOfOrder.count, 0);
  assert.equal(found.delivered, 3);
  assert.equal(summarise([found]).passed, false);
});

test('one row under two outbox ids is duplicated', () => {
  const found = check(1, [{ position: 1 }, { position: 1, outboxId: 7 }]);
  assert.equal(found.duplicated.count, 1);
});

test('an older row after a newer one of its key is out of order; of another key, partition or without key it is not', () => {
  const found = check(4, [
    { position: 1, outboxId: 20, key: 'a' },
    { position: 2, outboxId: 10, key: 'a' },
    { position: 3, outboxId: 5, key: 'b' },
    { position: 4, outboxId: 4, key: 'a', partition: 1 },
  ]);
  assert.equal(found.outOfOrder.count, 1);
  assert.deepEqual(found.outOfOrder.examples, [
    { id: 'orders:2', key: 'a', at: 't 0:1', note: 'outbox id 10, sequence 10 after 20' },
  ]);
  const keyless = check(2, [
    { position: 1, outboxId: 2, key: null },
    { position: 2, outboxId: 1, key: null },
  ]);
  assert.equal(keyless.outOfOrder.count, 0);
});

test('a key that moved to a lower lane when lanes were added is in order; an older sequence in a higher lane is not', () => {
  const moved = check(2, [
    { position: 1, outboxId: outboxId(3, 10), key: 'a' },
    { position: 2, outboxId: outboxId(1, 11), key: 'a' },
  ]);
  assert.equal(moved.outOfOrder.count, 0);
  const overtaken = check(2, [
    { position: 2, outboxId: outboxId(1, 11), key: 'a' },
    { position: 1, outboxId: outboxId(3, 10), key: 'a' },
  ]);
  assert.equal(overtaken.outOfOrder.count, 1);
});

test('rows above the watermark, in an open gap, in the outbox or aside are pending; dead letters are named as such', () => {
  const subject = new DeliveryCheck({
    source: 'orders',
    upTo: 8n,
    gaps: [
      { from: 2n, to: 3n },
      { from: 6n, to: 6n },
    ],
  });
  subject.noteOnItsWay({ eventId: 'orders:4', outboxId: 4, key: null, where: 'outbox' });
  subject.noteOnItsWay({ eventId: 'orders:5', outboxId: 5, key: null, where: 'aside' });
  subject.noteOnItsWay({ eventId: 'orders:7', outboxId: 7, key: null, where: 'dead' });
  send(subject, [{ position: 1 }, { position: 8 }]);
  const found = list(subject, 10);
  // 2, 3 and 6 lie in gaps, 4 and 5 are on their way, 9 and 10 are above the watermark.
  assert.equal(found.pending, 7);
  assert.equal(found.missing.count, 0);
  assert.equal(found.dead.count, 1);
  assert.equal(found.dead.examples[0]?.id, 'orders:7');
  assert.equal(found.expected, 3);
  assert.equal(summarise([found]).passed, false);
});

test('a row delivered and not deleted from the outbox yet is delivered', () => {
  const subject = new DeliveryCheck({ source: 'orders', upTo: 1n });
  subject.noteOnItsWay({ eventId: 'orders:1', outboxId: 1, key: null, where: 'outbox' });
  send(subject, [{ position: 1 }]);
  const found = list(subject, 1);
  assert.equal(found.delivered, 1);
  assert.equal(found.pending, 0);
});

test('rows moved while the topic is read spoil nothing', () => {
  const found = check(10, all(10), { upTo: 6n });
  assert.equal(found.expected, 6);
  assert.equal(found.delivered, 6);
  assert.equal(found.withoutRow, 0);
  assert.equal(found.pending, 0);
  assert.equal(summarise([found]).passed, true);
});

test('rows from before the start of the source are not expected, records whose row is gone are counted', () => {
  const late = check(
    10,
    all(10).filter(({ position }) => position > 5),
    { after: 5n },
  );
  assert.equal(summaryLine(summarise([late])), 'delivered 5 of 5: 0 missing, 0 duplicated, 0 out of order');
  const latest = check(
    10,
    all(10).filter(({ position }) => position > 4 && position !== 8),
    { startsAtFirstSeen: true },
  );
  assert.equal(summaryLine(summarise([latest])), 'delivered 5 of 6: 1 missing, 0 duplicated, 0 out of order');
  const gone = check(3, all(5), { upTo: 5n });
  assert.equal(gone.withoutRow, 2);
  assert.equal(summarise([gone]).passed, true);
});

test('where rows do not stay, copies and order are still seen', () => {
  const subject = new DeliveryCheck({ source: 'orders', upTo: null, rowsStay: false });
  subject.noteOnItsWay({ eventId: 'x', outboxId: 9, key: null, where: 'outbox' });
  subject.noteOnItsWay({ eventId: 'y', outboxId: 2, key: null, where: 'outbox' });
  send(subject, [
    { position: 1, outboxId: 2, key: 'a' },
    { position: 2, outboxId: 2, key: 'a' },
    { position: 3, outboxId: 1, key: 'a' },
  ]);
  const found = subject.result();
  assert.equal(found.delivered, 2);
  assert.equal(found.duplicated.count, 1);
  assert.equal(found.outOfOrder.count, 1);
  assert.equal(found.pending, 1);
});

test('records of others are not ours, and examples are bounded', () => {
  const subject = new DeliveryCheck({ source: 'orders', upTo: 100n });
  const foreign = { topic: 't', partition: 0, offset: 0, key: null };
  assert.equal(subject.record({ ...foreign, headers: {} }), false);
  assert.equal(subject.record({ ...foreign, headers: { source: 'other', id: 'other:1', 'outbox-id': '1' } }), false);
  assert.equal(subject.record({ ...foreign, headers: { source: 'orders', id: 'orders:1' } }), false);
  const found = list(subject, 100);
  assert.equal(found.missing.count, 100);
  assert.equal(found.missing.examples.length, EXAMPLES_MAX);
  assert.equal(found.records, 0);
});

test('nothing but pending rows is no pass, an empty table is one', () => {
  assert.equal(summarise([check(5, [], { upTo: 0n })]).passed, false);
  assert.equal(summarise([check(0, [])]).passed, true);
});

test('rows up to the start are not owed, but for those in gaps that were open then', () => {
  const startGaps = [{ from: 3n, to: 4n }];
  const sent = [{ position: 4 }, ...all(9).slice(6)];
  const found = check(9, sent, { after: 6n, startGaps });
  assert.deepEqual([found.delivered, found.missing.count, found.missing.examples[0]?.id], [4, 1, 'orders:3']);
  const late = check(9, sent.slice(1), { after: 6n, startGaps, gaps: startGaps });
  assert.deepEqual([late.delivered, late.missing.count, late.pending], [3, 0, 2]);
});

test('ids that began anew: each row is looked for in its incarnation, and old ones are rows that are gone', () => {
  const incarnations = [{ number: 2, after: 3n }];
  const subject = new DeliveryCheck({ source: 'orders', upTo: 6n, incarnations });
  const record = (id: string, outboxId: number) => {
    const headers = { id, 'outbox-id': String(outboxId), source: 'orders' };
    return subject.record({ topic: 't', partition: 0, offset: outboxId, key: null, headers });
  };
  const ids = ['orders:1', 'orders:2', 'orders:3', 'orders:4', 'orders:5', 'orders:2:4', 'orders:2:6', 'orders:2:6'];
  subject.noteOnItsWay({ eventId: 'orders:5', outboxId: 99, key: null, where: 'outbox' });
  for (const [at, id] of ids.entries()) assert.equal(record(id, at + 1), true);
  const { delivered, missing, duplicated, pending, withoutRow } = list(subject, 6);
  assert.deepEqual([delivered, pending, withoutRow], [5, 0, 2]);
  assert.deepEqual(
    missing.examples.map(({ id }) => id),
    ['orders:2:5'],
  );
  assert.deepEqual(
    duplicated.examples.map(({ id }) => id),
    ['orders:2:6'],
  );
});
