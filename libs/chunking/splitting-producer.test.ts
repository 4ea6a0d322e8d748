/** A producer's `send` that cuts what is too large: off unless told, in order, nothing else changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createJoiner, createSplittingSender, type SendRequest } from './index.ts';

function recorder() {
  const sent: SendRequest[] = [];
  const send = async (request: SendRequest) => sent.push(request);
  return { sent, send };
}

const small = { key: 'k', value: 'small', headers: { id: '1' }, timestamp: '7' };
const large = { key: 'k', value: Buffer.alloc(2_500_000, 'large'), headers: { id: '2' } };

test('off: everything as it was given', async () => {
  const { sent, send } = recorder();
  await createSplittingSender({ send })({ topic: 't', messages: [small, large] });
  assert.deepEqual(sent, [{ topic: 't', messages: [small, large] }]);
});

test('on: what fits goes together, chunks one a request and in order, and a joiner gets the messages back', async () => {
  const { sent, send } = recorder();
  const answers = await createSplittingSender(
    { send },
    { split: true },
  )({ topic: 't', messages: [small, small, large, small] });
  assert.deepEqual(
    sent.map(({ messages }) => messages.length),
    [2, 1, 1, 1, 1],
  );
  assert.deepEqual(answers, [1, 2, 3, 4, 5]);
  assert.deepEqual(sent[0]?.messages, [small, small]);
  const joiner = createJoiner({ clock: { nowMs: () => 0 } });
  const joined = sent
    .flatMap(({ messages }) => messages)
    .flatMap(({ key, value, headers = {} }, offset) => {
      const bytes = (each: Buffer | string | null | undefined) =>
        each === null || each === undefined ? null : Buffer.from(each);
      return joiner.accept({
        topic: 't',
        partition: 0,
        offset: BigInt(offset),
        key: bytes(key),
        value: bytes(value),
        headers,
      });
    });
  const values = joined.flatMap((outcome) => (outcome.kind === 'message' ? [outcome.message.value?.length] : []));
  assert.deepEqual(values, [5, 5, 2_500_000, 5]);
});

test('what cannot be cut is refused before anything is sent', async () => {
  const { sent, send } = recorder();
  const hopeless = { key: 'k'.repeat(1_100_000), value: 'x' };
  const sending = createSplittingSender({ send }, { split: true })({ topic: 't', messages: [small, hopeless] });
  await assert.rejects(sending, { code: 'KAFKA_RECORD_REFUSED' });
  assert.deepEqual(sent, []);
});
