/** What the fake source has beyond the contract: the instant before a row is locked, and gates. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import { FakeSourceReader } from './source.ts';
import { FakeSourceTable } from './source-table.ts';

const WIDE = { rowsMax: 100, bytesMax: 10_000 };
const row = { key: 'k', body: 'b' };

test('a reserved id is neither a row nor listed until its transaction shows', async () => {
  const table = new FakeSourceTable();
  const reader = new FakeSourceReader({ table, name: 's', topic: 't' });
  const transaction = table.begin();
  const ids = transaction.reserve(2);
  assert.deepEqual(ids, [1n, 2n]);
  const range = { from: 1n, to: 2n };
  const listed = async () => (await reader.listTransactions())?.transactions.length;
  assert.deepEqual([await listed(), await reader.presentIn([range], 9)], [0, []]);
  transaction.show();
  assert.deepEqual([await listed(), await reader.presentIn([range], 9)], [1, []]);
  transaction.write(ids, [row, row]);
  assert.deepEqual(await reader.presentIn([range], 9), ids);
  transaction.undo(ids);
  assert.deepEqual([await listed(), await reader.presentIn([range], 9)], [1, []]);
  transaction.write(ids, [row, row]);
  transaction.commit();
  assert.deepEqual(table.committedIds(), [1n, 2n]);
  assert.throws(() => transaction.commit());
});

test('every call passes a gate before it looks and after', async () => {
  const table = new FakeSourceTable();
  const passed: string[] = [];
  const gate = async (name: string): Promise<void> => {
    passed.push(name);
    // What commits while the call is on its way is seen; what commits while the answer is on its way is not.
    if (name === 'source.readAfter' || name === 'source.readAfter:answered') {
      const transaction = table.begin();
      transaction.insert([row]);
      transaction.commit();
    }
  };
  const reader = new FakeSourceReader({ table, name: 's', topic: 't', gate });
  const batch = await reader.readAfter(0n, WIDE);
  assert.deepEqual(passed, ['source.readAfter', 'source.readAfter:answered']);
  assert.equal(batch.rows.length, 1);
  assert.equal(table.committedIds().length, 2);
  await reader.inSnapshot((snapshot) => snapshot.readRanges([], WIDE));
  await reader.highestPosition();
  await reader.committedIn([{ from: 1n, to: 1n }], 1);
  assert.equal(passed.length, 10);
});

test('a gate that rejects is the call failing, whatever it asks', async () => {
  const table = new FakeSourceTable();
  const gate = async (): Promise<void> => {
    throw new RelayError('DB_UNREACHABLE', 'cut');
  };
  const reader = new FakeSourceReader({ table, name: 's', topic: 't', gate, gapMode: 'time' });
  await assert.rejects(reader.readAfter(0n, WIDE), { code: 'DB_UNREACHABLE' });
  await assert.rejects(reader.listTransactions(), { code: 'DB_UNREACHABLE' });
});
