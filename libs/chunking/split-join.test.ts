/**
 * By seed: messages of all sizes split, interleaved, doubled, read with crashes and restarts from the committed offset.
 * Every message comes at least once, whole and unchanged, and nothing ends dead.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, testSeed } from '#testkit';
import { createJoiner, type OutgoingMessage, type ReadRecord, splitMessage } from './index.ts';

const ROUNDS = 150;
const MESSAGES = 12;

type Chance = (below: number) => number;

function makeMessage(index: number, pick: Chance): OutgoingMessage {
  const value = Buffer.alloc(pick(60), `${index}-`);
  const key = pick(2) === 0 ? null : Buffer.from(`key-${index}`);
  return { key, value, headers: pick(2) === 0 ? {} : { number: Buffer.from([index]) } };
}

/** One partition: each message's chunks in their order or not, messages interleaved, some chunks sent again later. */
function makeLog(messages: readonly OutgoingMessage[], pick: Chance): ReadRecord[] {
  const waiting = messages.map((message) => [...splitMessage(message, { recordBytesMax: 540 })]);
  const log: ReadRecord[] = [];
  while (waiting.some((chunks) => chunks.length > 0)) {
    const chunks = waiting[Math.min(pick(waiting.length), pick(waiting.length))] ?? [];
    const [record] = chunks.splice(pick(2) === 0 ? 0 : pick(Math.max(chunks.length, 1)), 1);
    if (record === undefined) continue;
    log.push({ ...record, topic: 't', partition: 0, offset: BigInt(log.length) });
    const again = log[pick(log.length)];
    const isChunk = again?.headers.retriable_kafka_chunk_id !== undefined;
    // A whole message sent again is another message; a chunk sent again is a duplicate, while its group is unfinished.
    const group = again?.headers.retriable_kafka_chunk_group;
    const unfinished = waiting.some((left) =>
      left.some(({ headers }) => headers.retriable_kafka_chunk_group === group),
    );
    if (again && isChunk && unfinished && pick(4) === 0) log.push({ ...again, offset: BigInt(log.length) });
  }
  return log;
}

const describe = ({ key, value, headers }: Omit<OutgoingMessage, 'offsets'>): string =>
  JSON.stringify([key?.toString() ?? null, value?.toString() ?? null, headers]);

/** Reads the log to its end with restarts; handlers end in any order, commits go as far as they may. */
function consume(log: readonly ReadRecord[], pick: Chance): string[] {
  const handled: string[] = [];
  let committed = 0n;
  let crashesLeft = 5;
  while (committed < BigInt(log.length)) {
    const joiner = createJoiner({ clock: { nowMs: () => 0 } });
    const unhandled = new Set<bigint>();
    for (let at = Number(committed); at < log.length; at += 1) {
      const record = log[at] as ReadRecord;
      for (const outcome of joiner.accept(record)) {
        assert.notEqual(outcome.kind, 'dead');
        if (outcome.kind !== 'message') continue;
        handled.push(describe(outcome.message));
        // Some take longer: their offsets hold the commit up until the next record.
        if (pick(3) === 0) for (const offset of outcome.message.offsets) unhandled.add(offset);
      }
      const lowest = [...unhandled].reduce((a, b) => (b < a ? b : a), BigInt(at + 1));
      const next = joiner.committable('t', 0, lowest);
      assert.ok(next >= committed, `committed ${committed}, then ${next}`);
      if (pick(2) === 0) committed = next;
      if (pick(2) === 0) unhandled.clear();
      if (crashesLeft > 0 && pick(20) === 0) break;
    }
    if (crashesLeft === 0) {
      assert.equal(joiner.heldGroups, 0);
      return handled;
    }
    crashesLeft -= 1;
  }
  return handled;
}

test('split, interleaved, doubled, crashed: every message whole, at least once, none dead', () => {
  const seed = testSeed();
  for (let round = 0; round < ROUNDS; round += 1) {
    const random = seededRandom(seed + round);
    const pick: Chance = (below) => Math.floor(random() * below);
    const messages = Array.from({ length: MESSAGES }, (_, index) => makeMessage(index, pick));
    const handled = new Set(consume(makeLog(messages, pick), pick));
    const wanted = new Set(messages.map(describe));
    assert.deepEqual([...handled].sort(), [...wanted].sort(), `KRS_TEST_SEED=${seed}, round ${round}`);
  }
});
