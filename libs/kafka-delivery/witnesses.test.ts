/** What several brokers say of a topic, and when that is enough to take it for deleted, or for made anew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOneTopic } from './consumed-topics.ts';
import { CODE } from './fault-table.ts';
import { isUnknownToAll, type Testimony } from './is-gone.ts';

const [A, B] = ['A'.repeat(22), 'B'.repeat(22)];
const living = (...ids: readonly number[]) => ids.map((nodeId) => ({ nodeId, host: 'broker', port: 9092 }));
const topics = (code: number) => [{ topic: 't', code, partitions: [] }];
const denies = (nodeId: number, ...ids: readonly number[]): Testimony => ({
  nodeId,
  brokers: living(...ids),
  controller: 1,
  topics: topics(CODE.unknownTopic),
});

test('a topic is gone when every living broker denies it', () => {
  assert.equal(isUnknownToAll([denies(1, 1)], 't'), true);
  assert.equal(isUnknownToAll([denies(1, 1, 2), denies(2, 1, 2)], 't'), true);
});

test('it is not gone while one broker names it, cannot say, or has not been heard', () => {
  const names = { ...denies(2, 1, 2), topics: topics(CODE.none) };
  const cannotSay = { ...denies(2, 1, 2), topics: topics(5) };
  for (const second of [names, cannotSay, { ...denies(2, 1, 2), topics: [] }]) {
    assert.equal(isUnknownToAll([denies(1, 1, 2), second], 't'), false);
  }
  assert.equal(isUnknownToAll([denies(1, 1, 2)], 't'), false);
  assert.equal(isUnknownToAll([denies(1, 1), denies(2, 1, 2, 3)], 't'), false);
  assert.equal(isUnknownToAll([], 't'), false);
});

test('a broker that does not know the cluster yet does not count: without itself, or without a controller', () => {
  assert.equal(isUnknownToAll([denies(1)], 't'), false);
  assert.equal(isUnknownToAll([{ ...denies(1, 1), controller: -1 }], 't'), false);
  assert.equal(isUnknownToAll([denies(1, 1, 2), denies(2, 1)], 't'), false);
});

test('a topic is made anew when two brokers give the same id, or the only one does', () => {
  assert.equal(isOneTopic(B, [B, B], 3), true);
  assert.equal(isOneTopic(B, [B], 1), true);
  assert.equal(isOneTopic(B, [B], 3), false);
  assert.equal(isOneTopic(B, [B, A], 2), false);
  assert.equal(isOneTopic(B, [B, B, A], 3), false);
  assert.equal(isOneTopic(B, [B, null], 2), false);
  assert.equal(isOneTopic('', [null, null], 2), false);
  assert.equal(isOneTopic(B, [], 0), false);
});
