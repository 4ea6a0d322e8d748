/** What a list of running transactions says of missing positions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunningTransaction } from './ports.ts';
import { TransactionEvidence } from './transaction-evidence.ts';

const running = (
  connection: string | null,
  id: string | null = connection,
  startedAt = 'then',
): RunningTransaction => ({
  connection,
  startedAt,
  id,
});

const list = (...transactions: RunningTransaction[]) => ({ server: 's', transactions });

test('I1: a position may close when every transaction listed after its sighting has ended', () => {
  const evidence = new TransactionEvidence();
  evidence.listed(list(running('1'), running('2')), 10n);
  assert.equal(evidence.floor, 0n);
  evidence.listed(list(running('2')), 20n);
  assert.equal(evidence.floor, 0n, 'the second may own any of them');
  evidence.listed(list(running('3')), 30n);
  assert.equal(evidence.floor, 20n, 'the third was not there when 20 was sighted, and may own what came later');
  evidence.listed(list(), 30n);
  assert.equal(evidence.floor, 30n);
});

test('I1: without transactions all that was sighted a grace ago may close at once', () => {
  const evidence = new TransactionEvidence();
  evidence.listed(list(), 10n);
  assert.equal(evidence.floor, 10n);
});

test('I1: what cannot be told apart counts as the same transaction', () => {
  const evidence = new TransactionEvidence();
  evidence.listed(list(running('1', null)), 10n);
  evidence.listed(list(running('1', '77')), 20n);
  assert.equal(evidence.floor, 0n, 'it has got its number meanwhile');
  evidence.listed(list(running(null, '77', 'other')), 30n);
  assert.equal(evidence.floor, 0n, 'prepared, it has lost its connection');
  evidence.listed(list(running('1', '78')), 40n);
  assert.equal(evidence.floor, 30n, 'another transaction of the same connection');
});

test('I5: only gaps that a transaction that has ended may own are dirty', () => {
  const evidence = new TransactionEvidence();
  evidence.listed(list(running('1')), 10n);
  evidence.listed(list(running('1'), running('2')), 20n);
  evidence.beginReading();
  evidence.endReading(true);
  assert.equal(evidence.dirtyAbove, 20n);
  evidence.listed(list(running('1')), 30n);
  assert.equal(evidence.dirtyAbove, 10n, 'the second has ended, which owned nothing up to 10');
  evidence.beginReading();
  evidence.listed(list(), 30n);
  evidence.endReading(true);
  assert.equal(evidence.dirtyAbove, 0n, 'the first ended while the gaps were being read');
  evidence.beginReading();
  evidence.endReading(false);
  assert.equal(evidence.dirtyAbove, 0n, 'not read to the end');
  evidence.beginReading();
  evidence.endReading(true);
  assert.equal(evidence.dirtyAbove, 30n);
  evidence.opened(25n);
  assert.equal(evidence.dirtyAbove, 25n);
});

test('the oldest holder is told', () => {
  assert.equal(new TransactionEvidence().holder, null);
  const evidence = new TransactionEvidence();
  evidence.listed(list(running('1')), 10n);
  evidence.listed(list(running('2'), running('1')), 20n);
  assert.deepEqual([evidence.holder?.transaction.connection, evidence.holder?.count], ['1', 2]);
});

test('I1: another server knows nothing of what the first one had running', () => {
  const evidence = new TransactionEvidence();
  evidence.listed(list(), 10n);
  evidence.listed({ server: 'other', transactions: [running('9')] }, 10n);
  assert.equal(evidence.floor, 0n);
  assert.equal(evidence.dirtyAbove, 0n);
});
