/** Which records of aborted transactions a kafkajs consumer is shown: none. When a round of its group is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearable, type FetchedMessage, GroupRound, hideAborted } from './mend-consumer.ts';
import type { GroupMember } from './wire/transaction-requests.ts';

const record = (offset: number, producerId: number, key = 'k'): FetchedMessage => ({
  offset: String(offset),
  key: Buffer.from(key),
  isControlRecord: false,
  batchContext: { producerId: String(producerId), inTransaction: true },
});
const marker = (offset: number, producerId: number, type: 'abort' | 'commit'): FetchedMessage => ({
  ...record(offset, producerId),
  key: Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]),
  isControlRecord: true,
});

function shown(messages: FetchedMessage[], aborted: readonly (readonly [producer: number, first: number])[]) {
  const abortedTransactions = aborted.map(([producerId, firstOffset]) => ({
    producerId: String(producerId),
    firstOffset: String(firstOffset),
  }));
  const data = { messages, abortedTransactions };
  hideAborted(data);
  assert.equal(data.abortedTransactions.length, 0);
  return messages.filter(({ isControlRecord }) => !isControlRecord).map(({ offset }) => Number(offset));
}

test('listed in the order of their end', () => {
  const messages = [
    record(0, 1),
    record(1, 2),
    marker(2, 2, 'abort'),
    record(3, 1),
    marker(4, 1, 'abort'),
    record(5, 1),
  ];
  assert.deepEqual(shown(messages, [[2, 1], [1, 0]]), [5]); // biome-ignore format: pairs
});

test('both begun before the first record that was fetched', () => {
  const messages = [record(7, 1), record(8, 2), marker(9, 1, 'abort'), marker(10, 2, 'abort'), record(11, 2)];
  assert.deepEqual(shown(messages, [[1, 3], [2, 4]]), [11]); // biome-ignore format: pairs
});

test('a key that looks like a marker ends nothing, and a commit is no abort', () => {
  const messages = [
    record(0, 1),
    record(1, 1, '\0\0\0\0'),
    record(2, 1),
    marker(3, 2, 'commit'),
    marker(4, 1, 'abort'),
  ];
  assert.deepEqual(shown(messages, [[1, 0]]), []);
});

test('what is in no transaction is shown', () => {
  const plain = { offset: '1', key: null, isControlRecord: false };
  assert.deepEqual(shown([record(0, 1), plain, marker(2, 1, 'abort')], [[1, 0]]), [1]);
});

test('a round that was begun and not joined is wanted until it is; one that is joined is over', async () => {
  const joined: GroupMember[] = [];
  const begun: string[] = [];
  const beginRound = async () => void begun.push('begun');
  const round = new GroupRound(
    (member) => joined.push(member),
    () => ({ beginRound }),
  );
  await round.begin();
  // The coordinator refuses, and kafkajs goes on fetching: its next heartbeat has to fail.
  assert.equal(round.isWanted, true);
  await round.begin();
  const member = { memberId: 'one', generationId: 2 };
  round.end(member);
  assert.equal(round.isWanted, false);
  assert.deepEqual([joined, begun.length], [[member], 2]);
});

test('an answer that cannot be read is a fault that kafkajs tries again; its own errors stay what they are', async () => {
  const cut = bearable(() => Promise.reject(new RangeError('read past the end of a response')));
  await assert.rejects(cut(), { name: 'RelayError', message: 'read past the end of a response' });
  const own = Object.assign(new Error('moved'), { name: 'KafkaJSProtocolError', type: 'NOT_LEADER_FOR_PARTITION' });
  await assert.rejects(bearable(() => Promise.reject(own))(), (thrown) => thrown === own);
});
