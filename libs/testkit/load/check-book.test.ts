/** The oracle finds what it is there for: each kind of fault, by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BookCheck, type BookResult, type ReadRow } from './check-book.ts';
import { TransactionBook } from './transaction-book.ts';

/** Tokens 1 and 2 committed together, 3 rolled back, 4 committed after them, 5 unknown, 6 of a low id; all of one key. */
function bookOfSix(): TransactionBook {
  const book = new TransactionBook();
  const transact = (count: number, outcome: 'committed' | 'rolled-back' | 'unknown') => {
    const transaction = book.begin('c1', 'transaction');
    book.answered(book.statement(transaction, 'replace', count));
    book.end(transaction, outcome);
  };
  transact(2, 'committed');
  transact(1, 'rolled-back');
  transact(1, 'committed');
  transact(1, 'unknown');
  transact(1, 'committed');
  book.low(6);
  return book;
}

const record = (id: number, token = id, more: Partial<ReadRow> = {}) => ({ id, token, ...more });
const GOOD = [record(1), record(2), record(4)];

function judge(records: readonly ({ id: number; token: number } & Partial<ReadRow>)[], rows = [1, 2, 4]): BookResult {
  const check = new BookCheck(bookOfSix());
  for (const id of rows) check.row({ id, key: 'k', token: id });
  for (const [index, read] of records.entries()) {
    check.record({ key: 'k', partition: 0, version: 1, outboxId: index + 1, ...read });
  }
  return check.result();
}

const faultsOf = ({ lost, doubled, outOfOrder, uncommitted, holes, misplaced }: BookResult) =>
  Object.fromEntries(
    Object.entries({ lost, doubled, outOfOrder, uncommitted, holes, misplaced }).filter(([, count]) => count > 0),
  );

test('each row of the table once and in order is clean; a replaced one may be there, too', () => {
  assert.deepEqual(faultsOf(judge(GOOD)), {});
  assert.deepEqual(faultsOf(judge(GOOD, [2, 4])), {});
  assert.equal(judge(GOOD, [2, 4]).replaced, 1);
  assert.deepEqual(faultsOf(judge([record(2), record(4)], [2, 4])), {});
});

test('a row of the table that did not arrive is lost, and named with its kind', () => {
  const result = judge([record(1), record(4)]);
  assert.deepEqual(faultsOf(result), { lost: 1 });
  assert.deepEqual(result.lostByKind, { replace: 1 });
});

test('a row with a low id of its own is not owed', () => {
  const result = judge(GOOD, [1, 2, 4, 6]);
  assert.deepEqual([faultsOf(result), result.low], [{}, 1]);
});

test('a second record of a row is a duplicate', () => {
  assert.deepEqual(faultsOf(judge([...GOOD, record(1)])), { doubled: 1 });
});

test('a row behind one that began after its commit is out of order', () => {
  assert.deepEqual(faultsOf(judge([record(4), record(1), record(2)])), { outOfOrder: 1 });
});

test('rows of one transaction keep the order of their ids', () => {
  assert.deepEqual(faultsOf(judge([record(2), record(1), record(4)])), { outOfOrder: 1 });
});

test('an updated row shows the token of its update, which says nothing of its insert', () => {
  assert.deepEqual(faultsOf(judge([record(1, 4, { version: 2 }), record(2)], [1, 2])), {});
});

test('a falling outbox id is out of order, a missing one is a hole', () => {
  const reversed = GOOD.map((row, index) => ({ ...row, outboxId: 3 - index }));
  assert.deepEqual(faultsOf(judge(reversed)), { outOfOrder: 2 });
  const beyond = GOOD.map((row, index) => ({ ...row, outboxId: index + 2 }));
  assert.deepEqual(faultsOf(judge(beyond)), { holes: 1 });
});

test('what was rolled back, or is nobody’s, must not arrive; what is unknown may', () => {
  assert.deepEqual(faultsOf(judge([...GOOD, record(3)])), { uncommitted: 1 });
  assert.deepEqual(faultsOf(judge([...GOOD, record(9)])), { uncommitted: 1 });
  assert.deepEqual(faultsOf(judge([...GOOD, record(5)])), {});
});

test('another key, or another partition of a key, is misplaced', () => {
  assert.deepEqual(faultsOf(judge([record(1), record(2, 2, { key: 'x' }), record(4)])), { misplaced: 1 });
  assert.deepEqual(faultsOf(judge([record(1), record(2), record(4, 4, { partition: 1 })])), { misplaced: 1 });
});
