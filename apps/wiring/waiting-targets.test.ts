/** What operators see of rows that wait for topics and partitions. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { showWaitingTarget, waitingTargets, whatToDo } from './waiting-targets.ts';

const queue = (lane: number, waitsFor: string, oldestMs: number, error: string) => ({
  lane,
  waitsFor,
  rows: 3,
  bytes: 30,
  lastId: 9,
  oldestMs,
  error,
});

describe('what rows wait for', () => {
  const targets = waitingTargets([
    queue(1, 'a/3/6', 10, 'KAFKA_UNREACHABLE: Kafka refused metadata for topic a: LEADER_NOT_AVAILABLE'),
    queue(0, 'a/3/6', 20, 'KAFKA_UNREACHABLE: Kafka refused send for topic a: NOT_ENOUGH_REPLICAS'),
    queue(0, 'b', 30, 'KAFKA_TOPIC_MISSING: no such topic'),
  ]);

  test('the lanes of a target are summed up, the oldest comes first', () => {
    assert.deepEqual(
      targets.map(({ topic, partition, rows, lanes, sinceMs }) => [topic, partition, rows, lanes, sinceMs]),
      [
        ['b', null, 3, [0], 30],
        ['a', 3, 6, [0, 1], 20],
      ],
    );
    assert.deepEqual(targets.map(showWaitingTarget), ['topic b', 'partition 3 of topic a']);
  });

  test('each says what to do', () => {
    assert.deepEqual(targets.map(whatToDo), [
      'create the topic, or take its rows out with dead-letters',
      'bring the brokers with its replicas back, or lower min.insync.replicas',
    ]);
  });
});
