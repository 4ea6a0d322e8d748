/** How a batch is cut into statements, and how rows are shared out over lanes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outboxId } from '#outbox';
import { encodeMessage, planStatements, STATEMENT_SHAPES } from './plan-statements.ts';
import { shareLimits } from './share-limits.ts';

const SERVER_BYTES = 16_777_216;

const rows = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, index) =>
    encodeMessage({
      id: outboxId(0, index + 1),
      eventId: `s:${index}`,
      topic: 't',
      key: null,
      value: Buffer.alloc(bytes),
      headers: null,
    }),
  );

test('every row is in exactly one statement, in order, and every statement has a known shape', () => {
  for (const count of [0, 1, 3, 8, 9, 15, 100, 999, 1_000, 1_001, 4_321]) {
    const plan = planStatements(rows(count, 10), SERVER_BYTES, false);
    let next = 0;
    for (const { start, rows: size } of plan) {
      assert.equal(start, next);
      assert.ok(STATEMENT_SHAPES.includes(size));
      next += size;
    }
    assert.equal(next, count);
  }
  assert.equal(planStatements(rows(1_000, 300), SERVER_BYTES, false).length, 1, 'a full batch is one statement');
  assert.equal(planStatements(rows(7, 300), SERVER_BYTES, false).length, 1, 'and so is a handful of rows');
});

test('no statement is larger than the server takes', () => {
  const serverBytes = 1_000_000;
  const batch = rows(40, 90_000);
  for (const asText of [false, true]) {
    const plan = planStatements(batch, serverBytes, asText);
    for (const { start, rows: size } of plan) {
      const bytes = batch.slice(start, start + size).reduce((sum, row) => sum + row.size, 0);
      assert.ok(bytes * (asText ? 2 : 1) < serverBytes, `${bytes} bytes in ${size} rows`);
    }
  }
});

test('a row no statement can carry is refused by its event id, before anything is sent', () => {
  const batch = [...rows(3, 10), ...rows(1, 1_000_000)];
  assert.throws(() => planStatements(batch, 1_000_000, false), { code: 'DB_ROW_REFUSED', message: /event id s:0/ });
});

test('lanes share the rows: evenly at first, and later where the backlog is', () => {
  const cursors = [0, 1, 2, 3].map((lane) => ({ lane, cursor: 0, rowsMax: 1_000 }));
  const limits = { rowsMax: 1_000, bytesMax: 1_000_000 };
  assert.deepEqual(shareLimits(cursors, limits, new Map(), 0), [250, 250, 250, 250]);
  const oneBusy = new Map([0, 1, 2, 3].map((lane) => [lane, { rows: lane === 2 ? 250 : 1, full: lane === 2 }]));
  assert.deepEqual(shareLimits(cursors, limits, oneBusy, 0), [16, 16, 952, 16]);
  const noneBusy = new Map([0, 1, 2, 3].map((lane) => [lane, { rows: 5, full: false }]));
  assert.deepEqual(shareLimits(cursors, limits, noneBusy, 0), [250, 250, 250, 250]);
  const probing = cursors.map((cursor) => ({ ...cursor, rowsMax: 1 }));
  assert.deepEqual(shareLimits(probing, limits, oneBusy, 0), [1, 1, 1, 1]);
  const large = shareLimits(cursors, limits, new Map(), 100_000);
  assert.ok(
    large.reduce((sum, rows) => sum + rows, 0) <= 13,
    'no more is asked for than the byte budget holds of rows of this size',
  );
  assert.deepEqual(shareLimits(cursors, { rowsMax: 1, bytesMax: 1 }, new Map(), 500), [1, 1, 1, 1]);
});
