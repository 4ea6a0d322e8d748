/** What counts as progress, and what does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  causeOf,
  explainStall,
  Progress,
  RelayError,
  readStalls,
  STALL_CAUSES,
  type Stall,
  writeStalls,
} from './index.ts';

const AWAY = new RelayError('KAFKA_UNREACHABLE', 'no broker');

test('attempts count on until rows move or none waits, and the time since then with them', () => {
  const progress = new Progress();
  assert.equal(progress.standingMs(5), 0);
  progress.due(10);
  progress.due(20);
  assert.deepEqual([progress.failed(AWAY, 30), progress.failed(AWAY, 40)], [1, 2]);
  assert.equal(progress.standingMs(50), 40);
  assert.deepEqual(progress.lastFault, { cause: 'kafka-unreachable', text: 'KAFKA_UNREACHABLE: no broker' });
  progress.moved(60);
  assert.deepEqual([progress.faults, progress.lastFault, progress.standingMs(65)], [0, null, 5]);
  assert.equal(progress.failed(AWAY, 70), 1);
  progress.idle(80);
  assert.deepEqual([progress.faults, progress.lastFault, progress.standingMs(90)], [0, null, 0]);
});

test('standing by excuses from moving, and tells nothing of the fault', () => {
  const progress = new Progress();
  progress.failed(AWAY, 10);
  progress.standBy();
  assert.equal(progress.standingMs(99), 0);
  assert.equal(progress.failed(AWAY, 100), 2);
});

test('a broker’s own name of the fault says more than our code', () => {
  const named = (type: string) => causeOf(new RelayError('KAFKA_UNREACHABLE', '', { details: { type } }));
  assert.deepEqual(
    ['LEADER_NOT_AVAILABLE', 'NOT_ENOUGH_REPLICAS', 'COORDINATOR_NOT_AVAILABLE', 'NETWORK_EXCEPTION'].map(named),
    ['topic-leaderless', 'topic-in-sync-loss', 'coordinator-away', 'kafka-unreachable'],
  );
});

test('a deadline is the server’s whose fault it names, and unknown otherwise', () => {
  const named = (details: RelayError['details']) => causeOf(new RelayError('DEADLINE_EXCEEDED', '', { details }));
  const causes = [named({ driverCode: 'PROTOCOL_SEQUENCE_TIMEOUT' }), named({ step: 'init' }), named({})];
  assert.deepEqual(causes, ['database-unreachable', 'kafka-unreachable', 'unknown']);
  assert.equal(causeOf(new RelayError('INTERNAL', '')), 'unknown');
});

test('stalls come back from the table of members as they went there, and what cannot be read is left out', () => {
  const stall: Stall = { cause: 'topic-missing', part: 'topic t', rows: 3, forMs: 61_000, fault: 'x'.repeat(400) };
  assert.deepEqual(readStalls(writeStalls([stall])), [{ ...stall, fault: 'x'.repeat(300) }]);
  assert.equal(writeStalls([]), null);
  for (const text of [null, '', 'x', '{}', '[null, 1, {"cause":"none","part":"p"}]'])
    assert.deepEqual(readStalls(text), []);
});

test('one line says what stands, for how long, why, and what to do', () => {
  const stall: Stall = { cause: 'kafka-unreachable', part: 'sender', rows: 1, forMs: 61_500, fault: 'no broker' };
  const { says, todo } = STALL_CAUSES['kafka-unreachable'];
  assert.equal(explainStall(stall), `sender: 1 row waits for 61 s: kafka-unreachable: ${says} (no broker); ${todo}`);
  assert.match(explainStall({ ...stall, rows: null, forMs: null, fault: null }), /^sender: nothing moves: kafka/);
});
