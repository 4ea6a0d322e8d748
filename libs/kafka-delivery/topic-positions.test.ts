/** Which topic a committed offset belongs to, as far as ids tell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTopicNote, topicNote } from './topic-note.ts';
import { TopicPositions } from './topic-positions.ts';

const [A, B] = ['A'.repeat(22), 'B'.repeat(22)];
const known = (id: string | null, partitions = 2) => ({ topic: 't', id, partitions });
const committed = (offset: number, id: string | null = null) => ({ offset, metadata: topicNote(id) });

function knowing(...topics: readonly ReturnType<typeof known>[]): TopicPositions {
  const positions = new TopicPositions();
  for (const each of topics) {
    positions.learn(['t'], [each]);
    positions.beginRound();
  }
  return positions;
}

test('an offset with an id counts for that topic only', () => {
  assert.equal(knowing(known(A)).place('t', 0, committed(5, A)), 'kept');
  assert.equal(knowing(known(B)).place('t', 0, committed(5, A)), 'anew');
  assert.equal(knowing(known(B)).place('t', 0, committed(0, A)), 'anew');
});

test('a topic that the broker does not name is not placed, whatever the group has committed', () => {
  const positions = knowing(known(A));
  positions.learn(['t'], []);
  positions.beginRound();
  assert.equal(positions.place('t', 0, committed(5, A)), 'missing');
  assert.equal(positions.topicIdOf('t', 0), undefined);
  positions.learn(['t'], [known(A)]);
  assert.equal(positions.place('t', 0, committed(5, A)), 'kept');
  positions.forget('t', 0);
  assert.equal(positions.topicIdOf('t', 0), undefined);
});

test('one without an id is held against the end of the log; without ids everything is as it was committed', () => {
  assert.equal(knowing(known(A)).place('t', 0, committed(5)), 'log-end');
  assert.equal(knowing(known(A)).place('t', 0, { offset: 5, metadata: 'somebody`s note' }), 'log-end');
  assert.equal(knowing(known(null)).place('t', 0, committed(5, A)), 'kept');
});

test('without an offset: what came into being while we consumed begins at its beginning', () => {
  assert.equal(knowing(known(A)).place('t', 0, committed(-1)), 'kept');
  assert.equal(knowing(known(A), known(B)).place('t', 0, committed(-1)), 'anew');
  assert.equal(knowing(known(null), known(B)).place('t', 0, committed(-1)), 'kept');
  const grown = knowing(known(A, 2), known(A, 3));
  assert.equal(grown.place('t', 1, committed(-1)), 'kept');
  assert.equal(grown.place('t', 2, committed(-1)), 'anew');
  const away = new TopicPositions();
  away.learn(['t'], [known(A)]);
  away.learn(['t'], []);
  away.learn(['t'], [known(B)]);
  assert.equal(away.place('t', 0, committed(-1)), 'anew');
});

test('a stale offset is known again, also one without an id, and the next one is not', () => {
  const positions = knowing(known(B));
  positions.place('t', 0, committed(100));
  assert.equal(positions.hasBegunAnew('t', 0), false);
  positions.begunAnew('t', 0, committed(100));
  assert.equal(positions.hasBegunAnew('t', 0), true);
  assert.equal(positions.isStale('t', 0, committed(100)), true);
  assert.equal(positions.isStale('t', 0, committed(7)), false);
  assert.equal(positions.isStale('t', 0, committed(7, A)), true);
  assert.equal(positions.isStale('t', 0, committed(7, B)), false);
});

test('a round is over when a topic is another one, gone, back, or has other partitions; between rounds nothing is placed', () => {
  const positions = knowing(known(A));
  positions.place('t', 0, committed(5, A));
  assert.equal(positions.topicIdOf('t', 0), A);
  for (const now of [[known(B)], [known(A, 3)], []]) assert.deepEqual(positions.changedSince(['t'], now), ['t']);
  assert.deepEqual(positions.changedSince(['t'], [known(A)]), []);
  positions.learn(['t'], []);
  positions.beginRound();
  assert.equal(positions.topicIdOf('t', 0), undefined);
  assert.deepEqual(positions.changedSince(['t'], []), []);
  assert.deepEqual(positions.changedSince(['t'], [known(A)]), ['t']);
});

test('notes of others are none', () => {
  for (const text of [null, '', 'topic-id', 'topic-id short', `topic-id ${A}x`])
    assert.equal(readTopicNote(text), null);
  assert.equal(readTopicNote(topicNote(A)), A);
  assert.equal(topicNote(null), '');
});
