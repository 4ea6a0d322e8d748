/** The checker in docs finds each planted fault, and nothing in a good history: by itself, from the file alone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HistoryWriter, TransactionBook } from '#testkit';

const CHECKER = fileURLToPath(new URL('../../docs/check-history.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'krs-history-'));
after(() => rmSync(folder, { recursive: true }));

interface Planted {
  readonly id: number;
  readonly token: number;
  readonly version?: number;
}

/** Tokens 1 and 2 committed together, 3 rolled back, 4 committed after them, 5 undone by a savepoint; all of one key. */
function history(records: readonly Planted[], rows: readonly Planted[]): string {
  const file = join(folder, 'history.jsonl');
  const writer = new HistoryWriter(file);
  writer.run({ seed: 1, table: 't', topic: 'topic' });
  const book = new TransactionBook((transaction) => writer.transaction(transaction));
  const transact = (counts: readonly number[], outcome: 'committed' | 'rolled-back', undone = false) => {
    const transaction = book.begin('c1', 'transaction');
    for (const count of counts) {
      const statement = book.statement(transaction, 'insert', count);
      statement.keys = Array.from({ length: count }, () => 'k');
      book.answered(statement);
      if (undone) statement.outcome = 'undone';
    }
    book.end(transaction, outcome);
  };
  transact([2], 'committed');
  transact([1], 'rolled-back');
  transact([1], 'committed');
  transact([1], 'committed', true);
  for (const { id, token, version = 1 } of rows) {
    writer.row({ id: String(id), key: 'k', token: String(token), version, promised: true });
  }
  for (const [offset, { id, token, version = 1 }] of records.entries()) {
    writer.record({
      ...{ topic: 'topic', partition: 0, offset: String(offset), key: 'k', token: String(token), version },
      ...{ eventId: `t:${id}`, outboxId: String(offset + 1) },
    });
  }
  writer.close();
  return file;
}

function check(records: readonly Planted[], rows: readonly Planted[] = GOOD): { code: number | null; last: string } {
  const { status, stdout } = spawnSync(process.execPath, [CHECKER, history(records, rows)], { encoding: 'utf8' });
  return { code: status, last: stdout.trimEnd().split('\n').at(-1) ?? '' };
}

const GOOD: readonly Planted[] = [
  { id: 1, token: 1 },
  { id: 2, token: 2 },
  { id: 4, token: 4 },
];
const [one, two, four] = GOOD as [Planted, Planted, Planted];

test('a good history is clean', () => {
  assert.deepEqual(check(GOOD), { code: 0, last: '0 lost, 0 doubled, 0 out of order, 0 never committed' });
});

test('each planted fault is found, and it alone', () => {
  const found = (records: readonly Planted[], rows?: readonly Planted[]) => check(records, rows).last;
  assert.equal(found([one, four]), '1 lost, 0 doubled, 0 out of order, 0 never committed');
  assert.equal(found([one, two, four, one]), '0 lost, 1 doubled, 0 out of order, 0 never committed');
  assert.equal(found([four, one, two]), '0 lost, 0 doubled, 1 out of order, 0 never committed');
  assert.equal(found([two, one, four]), '0 lost, 0 doubled, 1 out of order, 0 never committed');
  assert.equal(found([one, two, { id: 3, token: 3 }, four]), '0 lost, 0 doubled, 0 out of order, 1 never committed');
  assert.equal(found([one, two, four, { id: 5, token: 5 }]), '0 lost, 0 doubled, 0 out of order, 1 never committed');
});

test('an updated row is no witness of the order of its insert', () => {
  const updated = { id: 1, token: 4, version: 2 };
  assert.equal(check([updated, two], [updated, two]).code, 0);
});

test('a file without rows or records proves nothing', () => {
  assert.equal(check([]).code, 2);
  const empty = join(folder, 'empty.jsonl');
  writeFileSync(empty, '');
  assert.equal(spawnSync(process.execPath, [CHECKER, empty]).status, 2);
});
