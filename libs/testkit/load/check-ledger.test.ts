/** The oracle finds what it is there for: each kind of fault, by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertLedgerDelivered, LedgerCheck } from './check-ledger.ts';
import { Ledger } from './ledger.ts';

const row = (key: string, sequence: number) => ({ key, sequence });

function ledgerOfFive(): Ledger {
  const ledger = new Ledger();
  ledger.commit([row('a', 1), row('b', 1)]);
  ledger.commit([row('a', 3), row('a', 4), row('b', 2)]);
  return ledger;
}

function resultOf(records: readonly { key: string; sequence: number }[]) {
  const check = new LedgerCheck();
  for (const { key, sequence } of records) check.record(key, sequence);
  return check.result(ledgerOfFive());
}

test('every row once, in each key its order, is clean whatever the order between keys', () => {
  assertLedgerDelivered(ledgerOfFive(), [row('b', 1), row('b', 2), row('a', 1), row('a', 3), row('a', 4)]);
});

test('a missing row is named', () => {
  const result = resultOf([row('a', 1), row('a', 4), row('b', 1), row('b', 2)]);
  assert.deepEqual([result.missing, result.duplicated, result.outOfOrder, result.uncommitted], [1, 0, 0, 0]);
  assert.deepEqual(result.examples, ['a: 3 missing']);
});

test('a second copy is a duplicate, not a break of order', () => {
  const result = resultOf([row('a', 1), row('a', 3), row('a', 1), row('a', 4), row('b', 1), row('b', 2)]);
  assert.deepEqual([result.missing, result.duplicated, result.outOfOrder, result.uncommitted], [0, 1, 0, 0]);
});

test('a row before its elder is out of order', () => {
  const result = resultOf([row('a', 1), row('a', 4), row('a', 3), row('b', 1), row('b', 2)]);
  assert.deepEqual([result.missing, result.duplicated, result.outOfOrder, result.uncommitted], [0, 0, 1, 0]);
});

test('a row of a transaction that was rolled back is told', () => {
  const records = [row('a', 1), row('a', 2), row('a', 3), row('a', 4), row('b', 1), row('b', 2)];
  assert.equal(resultOf(records).uncommitted, 1);
  assert.throws(() => assertLedgerDelivered(ledgerOfFive(), records), /a: 2 was never committed/);
});

test('a row that was replaced may be there or not, but never twice', () => {
  const ledger = ledgerOfFive();
  ledger.replace('a', 1);
  const result = (records: readonly { key: string; sequence: number }[]) => {
    const check = new LedgerCheck();
    for (const { key, sequence } of records) check.record(key, sequence);
    const { missing, duplicated, uncommitted } = check.result(ledger);
    return [missing, duplicated, uncommitted];
  };
  const rest = [row('a', 3), row('a', 4), row('b', 1), row('b', 2)];
  assert.deepEqual(result(rest), [0, 0, 0]);
  assert.deepEqual(result([row('a', 1), ...rest]), [0, 0, 0]);
  assert.deepEqual(result([row('a', 1), row('a', 1), ...rest]), [0, 1, 0]);
  assert.deepEqual(result(rest.slice(1)), [1, 0, 0]);
});
