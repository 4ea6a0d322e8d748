/** What the broker does not acknowledge by name was not acknowledged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import { createBatchBounds } from './batch-bounds.ts';
import { checkProduced } from './send-flows.ts';
import { createSequences } from './sequences.ts';

const batch = (partition: number, records = 3) => ({ topic: 't', partition, records, bytes: 1000 });
const answer = (partition: number, code = 0) => ({ topic: 't', partition, code, baseOffset: 0 });
const bounds = createBatchBounds(900_000);

const faultOf = (run: () => void): RelayError => {
  try {
    run();
  } catch (error) {
    if (error instanceof RelayError) return error;
  }
  return assert.fail('expected a RelayError');
};

test('every partition named and accepted: fine', () => {
  checkProduced([batch(0), batch(1)], [answer(1), answer(0)], bounds);
});

test('a partition missing from the answer makes the outcome unknown (kafkajs resolves here)', () => {
  const fault = faultOf(() => checkProduced([batch(0), batch(1)], [answer(0)], bounds));
  assert.equal(fault.code, 'KAFKA_OUTCOME_UNKNOWN');
  assert.deepEqual([fault.details.topic, fault.details.partition], ['t', 1]);
});

test('a refusal names its partition, and goes before one that is missing', () => {
  const fault = faultOf(() => checkProduced([batch(0), batch(1)], [answer(1, 87)], bounds));
  assert.equal(fault.code, 'KAFKA_RECORD_REFUSED');
  assert.deepEqual([fault.details.topic, fault.details.partition], ['t', 1]);
});

test("a batch too large halves its topic's bound, a single record does not", () => {
  faultOf(() => checkProduced([batch(0, 1)], [answer(0, 10)], bounds));
  assert.equal(bounds.of('t'), 900_000);
  faultOf(() => checkProduced([{ ...batch(0), bytes: 800_000 }], [answer(0, 10)], bounds));
  assert.equal(bounds.of('t'), 400_000);
  assert.equal(bounds.of('other'), 900_000);
});

test('sequence numbers wrap at 31 bits and carry the remainder', () => {
  const sequences = createSequences(0x7ffffffe);
  assert.equal(sequences.next('t', 0), 0x7ffffffe);
  sequences.advance('t', 0, 1);
  assert.equal(sequences.next('t', 0), 0x7fffffff);
  sequences.advance('t', 0, 5);
  assert.equal(sequences.next('t', 0), 4);
  assert.equal(sequences.next('t', 1), 0x7ffffffe);
});
