/** Topics that are sent to: written down before, and not more often than needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError, systemClock } from '#runtime';
import type { SenderStore } from './ports.ts';
import { sentTopics, TopicNotes } from './sent-topics.ts';

const MINUTE_MS = 60_000;

/** A store that writes down what it is asked, and notes of a clock that the test moves. */
function stage() {
  let nowMs = 0;
  const noted: string[] = [];
  const faults: Error[] = [];
  const noteTopics = async (topics: readonly string[]) => {
    const fault = faults.pop();
    if (fault !== undefined) throw fault;
    noted.push(topics.join(' '));
  };
  const clock = { ...systemClock, nowMs: () => nowMs };
  const notes = new TopicNotes({ clock, store: { noteTopics } as unknown as SenderStore });
  const send = (...topics: string[]) => notes.note(new Set(topics));
  const elapse = (ms: number) => {
    nowMs += ms;
  };
  return { noted, faults, send, elapse };
}

test('a topic is written down once, and again when half of its time is over', async () => {
  const { noted, send, elapse } = stage();
  await send('b', 'a', 'b');
  await send('a', 'b');
  await send('b', 'c');
  elapse(29 * MINUTE_MS);
  await send('a', 'c');
  elapse(MINUTE_MS);
  await send('a', 'c');
  assert.deepEqual(noted, ['a b', 'c', 'a c']);
});

test('what could not be written down is not sent to, and tried again', async () => {
  const { noted, faults, send } = stage();
  faults.push(new RelayError('DB_TRANSIENT', 'away'));
  await assert.rejects(send('a'), { code: 'DB_TRANSIENT' });
  await send('a');
  assert.deepEqual(noted, ['a']);
});

test('a name that no topic can have is not written down: its row is refused', async () => {
  const { noted, send } = stage();
  for (const name of ['x'.repeat(250), 'a b', 'ä', '', '.', '..', 'a/b']) await send(name);
  await send('x'.repeat(249));
  assert.deepEqual(noted, ['x'.repeat(249)]);
});

test('too many topics are not told in part', async () => {
  const listing = (count: number) =>
    sentTopics({
      listTopics: async (_, rowsMax) => Array.from({ length: Math.min(count, rowsMax) }, (__, at) => `t${at}`),
    } as Partial<SenderStore> as SenderStore)();
  assert.equal((await listing(10_000))?.length, 10_000);
  assert.equal(await listing(10_001), null);
});
