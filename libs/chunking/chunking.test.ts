/** Headers byte for byte, cutting, and what a joiner makes of each kind of trouble. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { until } from '#testkit';
import {
  CHUNK_COUNT_HEADER,
  CHUNK_GROUP_HEADER,
  CHUNK_ID_HEADER,
  chunkHeaders,
  createJoiner,
  encodeNumber,
  headerBytes,
  type Joiner,
  type MessageHeaders,
  type OutgoingMessage,
  type ReadRecord,
  readChunkPlace,
  splitMessage,
} from './index.ts';

const GROUP = Buffer.from('7b0ab3b0a4bd4c0e9d3a5a2f6c0d1e2f', 'hex');
const time = { nowMs: () => 0 };
const message = (bytes: number, headers: MessageHeaders = {}, key: Buffer | null = null): OutgoingMessage => ({
  key,
  value: Buffer.alloc(bytes, 'x'),
  headers,
});

function record(offset: number, headers: MessageHeaders, value = 'v', partition = 0): ReadRecord {
  return { topic: 't', partition, offset: BigInt(offset), key: GROUP, value: Buffer.from(value), headers };
}

const chunk = (offset: number, id: number, count: number, value = `v${id}`, group = GROUP): ReadRecord =>
  record(offset, chunkHeaders({ group, id, count }), value);

const kinds = (joiner: Joiner<ReadRecord>, ...records: readonly ReadRecord[]): string[] =>
  records.flatMap((each) =>
    joiner.accept(each).map((outcome) => ('reason' in outcome ? outcome.reason : outcome.kind)),
  );

test('the headers of a chunk, byte for byte', () => {
  const headers = chunkHeaders({ group: GROUP, id: 1, count: 258 });
  assert.deepEqual(Object.keys(headers).sort(), [
    'retriable_kafka_chunk_group',
    'retriable_kafka_chunk_id',
    'retriable_kafka_number_of_chunks',
  ]);
  assert.deepEqual(headers[CHUNK_GROUP_HEADER], GROUP);
  assert.deepEqual(headers[CHUNK_ID_HEADER], Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]));
  assert.deepEqual(headers[CHUNK_COUNT_HEADER], Buffer.from([0, 0, 0, 0, 0, 0, 1, 2]));
});

test('cut at 1,000,000 bytes less 500 less headers and key, one group, ids from 0', () => {
  const headers = { id: 'abc', many: ['1', Buffer.from('22')] };
  const key = Buffer.from('key');
  const room = 1_000_000 - 500 - headerBytes(headers) - 3;
  assert.equal(splitMessage(message(room, headers, key)).length, 1);
  const chunks = splitMessage(message(2 * room + 1, headers, key));
  assert.deepEqual(
    chunks.map(({ value }) => value?.length),
    [room, room, 1],
  );
  const places = chunks.map((each) => readChunkPlace(each.headers) as { group: Buffer; id: number; count: number });
  assert.deepEqual(
    places.map(({ id, count }) => [id, count]),
    [
      [0, 3],
      [1, 3],
      [2, 3],
    ],
  );
  assert.equal(new Set(places.map(({ group }) => group.toString('hex'))).size, 1);
  // Version 4, variant 1.
  assert.equal((places[0]?.group[6] ?? 0) >> 4, 4);
  assert.equal((places[0]?.group[8] ?? 0) >> 6, 2);
  assert.ok(chunks.every((each) => each.key?.equals(key) && each.headers.id === 'abc'));
});

test('without a key all chunks have their group as key, and the joined message has none', () => {
  const chunks = splitMessage(message(10), { recordBytesMax: 504, newGroup: () => GROUP });
  assert.deepEqual(
    chunks.map(({ key }) => key),
    [GROUP, GROUP, GROUP],
  );
  const joiner = createJoiner({ clock: time });
  const outcomes = chunks.flatMap((each, i) => joiner.accept({ ...each, topic: 't', partition: 0, offset: BigInt(i) }));
  const last = outcomes.at(-1);
  assert.ok(last?.kind === 'message');
  assert.equal(last.message.key, null);
  assert.deepEqual(last.message.headers, {});
  assert.equal(String(last.message.value), 'xxxxxxxxxx');
  assert.deepEqual(last.message.offsets, [0n, 1n, 2n]);
});

test('a tombstone and a message that fits stay whole; always: one chunk, an empty one too', () => {
  assert.deepEqual(splitMessage({ key: null, value: null, headers: {} }), [{ key: null, value: null, headers: {} }]);
  assert.equal(readChunkPlace(splitMessage(message(5))[0]?.headers ?? {}), null);
  const [one, ...others] = splitMessage(message(0), { always: true, newGroup: () => GROUP });
  assert.deepEqual(readChunkPlace(one?.headers ?? {}), { group: GROUP, id: 0, count: 1 });
  assert.equal(others.length, 0);
});

test('chunk headers of a message that was a chunk before are replaced', () => {
  const [first] = splitMessage(message(10, chunkHeaders({ group: GROUP, id: 7, count: 9 })), { recordBytesMax: 505 });
  const place = readChunkPlace(first?.headers ?? {});
  assert.ok(place !== null && typeof place === 'object');
  assert.deepEqual([place.id, place.count, place.group.equals(GROUP)], [0, 2, false]);
});

test('no room for a chunk, or too many chunks: the message is at fault', () => {
  const fault = { code: 'KAFKA_RECORD_REFUSED', verdict: 'row-fault' };
  assert.throws(() => splitMessage(message(10, { big: 'x'.repeat(100) }), { recordBytesMax: 600 }), fault);
  assert.throws(() => splitMessage(message(11), { recordBytesMax: 501, chunksMax: 10 }), fault);
  assert.equal(splitMessage(message(10), { recordBytesMax: 501, chunksMax: 10 }).length, 10);
});

test('missing and malformed headers are dead at once and hold nothing', () => {
  const joiner = createJoiner({ clock: time });
  const good = chunkHeaders({ group: GROUP, id: 0, count: 2 });
  const { [CHUNK_ID_HEADER]: _, ...withoutId } = good;
  const reasons = kinds(
    joiner,
    record(0, withoutId),
    record(1, { ...good, [CHUNK_GROUP_HEADER]: 'short' }),
    record(2, { ...good, [CHUNK_COUNT_HEADER]: '2' }),
    record(3, { ...good, [CHUNK_COUNT_HEADER]: encodeNumber(0) }),
    record(4, { ...good, [CHUNK_ID_HEADER]: Buffer.alloc(8, 255) }),
    record(5, { ...good, [CHUNK_ID_HEADER]: [encodeNumber(0), encodeNumber(1)] }),
    record(6, { ...good, [CHUNK_ID_HEADER]: encodeNumber(2) }),
    record(7, { ...good, [CHUNK_COUNT_HEADER]: encodeNumber(10_001) }),
  );
  assert.deepEqual(reasons, [
    'missing-header',
    'malformed-header',
    'malformed-header',
    'malformed-header',
    'malformed-header',
    'malformed-header',
    'chunk-id-out-of-range',
    'too-many-chunks',
  ]);
  assert.equal(joiner.lowestHeldOffset('t', 0), null);
});

test('contradictions make the whole group dead, and what comes late of it as well', () => {
  const joiner = createJoiner({ clock: time });
  assert.deepEqual(kinds(joiner, chunk(0, 0, 3)), ['held']);
  const [dead] = joiner.accept(chunk(1, 1, 4));
  assert.ok(dead?.kind === 'dead');
  assert.equal(dead.reason, 'chunk-count-contradicts');
  assert.deepEqual(dead.offsets, [0n, 1n]);
  assert.equal(dead.records.length, 2);
  assert.deepEqual(kinds(joiner, chunk(2, 2, 3)), ['group-is-dead']);
  assert.equal(joiner.lowestHeldOffset('t', 0), null);

  const other = createJoiner({ clock: time });
  assert.deepEqual(kinds(other, chunk(0, 0, 2, 'a'), chunk(1, 0, 2, 'b')), ['held', 'chunk-content-contradicts']);
});

test('duplicates: before the group is whole, after it, and a new message under an old name', () => {
  const joiner = createJoiner({ clock: time });
  assert.deepEqual(kinds(joiner, chunk(0, 1, 2), chunk(1, 1, 2)), ['held', 'held']);
  const [joined] = joiner.accept(chunk(2, 0, 2));
  assert.ok(joined?.kind === 'message');
  assert.equal(String(joined.message.value), 'v0v1');
  assert.deepEqual(joined.message.offsets, [0n, 1n, 2n]);
  assert.deepEqual(kinds(joiner, chunk(3, 0, 2), chunk(4, 1, 2)), ['duplicate', 'duplicate']);
  assert.deepEqual(kinds(joiner, chunk(5, 0, 2, 'new'), chunk(6, 1, 2, 'er')), ['held', 'message']);
});

test('the same group id in two partitions is two groups', () => {
  const joiner = createJoiner({ clock: time });
  const headers = (id: number) => chunkHeaders({ group: GROUP, id, count: 2 });
  assert.deepEqual(kinds(joiner, record(0, headers(0)), record(0, headers(1), 'v', 1)), ['held', 'held']);
  assert.equal(joiner.heldGroups, 2);
});

test('waiting time: from the last new chunk, standing still while the partition is not read', () => {
  let nowMs = 0;
  const joiner = createJoiner({ clock: { nowMs: () => nowMs } });
  joiner.accept(chunk(0, 0, 3));
  nowMs = 899_999;
  joiner.accept(chunk(1, 1, 3));
  // A duplicate is no progress.
  nowMs += 899_999;
  joiner.accept(chunk(2, 1, 3));
  assert.deepEqual(joiner.expire(), []);
  nowMs += 1;
  assert.deepEqual(
    joiner.expire(() => false),
    [],
  );
  assert.deepEqual(joiner.expire(), []);
  nowMs += 900_000;
  const [dead, ...others] = joiner.expire();
  assert.ok(dead?.kind === 'dead' && dead.reason === 'waited-too-long');
  assert.deepEqual(dead.offsets, [0n, 1n, 2n]);
  assert.equal(others.length, 0);
  assert.equal(joiner.heldBytes, 0);
});

test('memory: the oldest group goes, one that alone is too large goes itself', () => {
  const other = Buffer.alloc(16, 1);
  const one = createJoiner({ clock: time });
  kinds(one, chunk(0, 0, 9));
  const joiner = createJoiner({ clock: time, heldBytesMax: Math.floor(one.heldBytes * 3.5) });
  assert.deepEqual(kinds(joiner, chunk(0, 0, 9), chunk(1, 0, 9, 'o0', other), chunk(2, 1, 9, 'o1', other)), [
    'held',
    'held',
    'held',
  ]);
  assert.deepEqual(kinds(joiner, chunk(3, 2, 9, 'o2', other)), ['memory-full', 'held']);
  assert.deepEqual(kinds(joiner, chunk(4, 3, 9, 'o3', other)), ['memory-full']);
  assert.deepEqual([joiner.heldBytes, joiner.heldGroups], [0, 0]);
  const few = createJoiner({ clock: time, groupsMax: 1 });
  assert.deepEqual(kinds(few, chunk(0, 0, 2), chunk(1, 0, 2, 'x', other)), ['held', 'memory-full', 'held']);
});

test('memory: small chunks that came beside large records keep nothing of those', async () => {
  const [groups, answerBytes] = [1_000, 1_000_000];
  const joiner = createJoiner({ clock: time });
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 0; n < groups; n += 1) {
    const answer = Buffer.allocUnsafeSlow(answerBytes);
    const group = answer.subarray(0, 16);
    group.writeUInt32BE(n);
    const headers = { ...chunkHeaders({ group, id: 0, count: 2 }), sender: answer.subarray(100, 110) };
    const [outcome] = joiner.accept({ ...record(n, headers), key: group, value: answer.subarray(200, 250) });
    assert.equal(outcome?.kind, 'held');
  }
  assert.equal(joiner.heldGroups, groups);
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const isFreed = async () => {
    collect();
    return process.memoryUsage().arrayBuffers - before < 100 * answerBytes;
  };
  assert.ok(joiner.heldBytes > groups * 600 && joiner.heldBytes < groups * 1_200, `${joiner.heldBytes} bytes counted`);
  await until('what lay beside the chunks is freed', isFreed, 10_000);
});

test('memory: headers, empty chunks and repeated chunks count as well', () => {
  const heldBytesMax = 1_000_000;
  const give = (make: (n: number) => Parameters<ReturnType<typeof createJoiner>['accept']>[0], most: number) => {
    const joiner = createJoiner({ clock: time, heldBytesMax });
    for (let n = 0; n < most; n += 1) {
      if (joiner.accept(make(n)).some(({ kind }) => kind === 'dead')) return;
      assert.ok(joiner.heldBytes <= heldBytesMax);
    }
    assert.fail('nothing was given up');
  };
  const large = 'x'.repeat(100_000);
  const groupOf = (n: number) => Buffer.from(String(n).padStart(16, '0'));
  give((n) => record(n, { ...chunkHeaders({ group: groupOf(n), id: 0, count: 2 }), large }), 20);
  give((n) => ({ ...record(n, chunkHeaders({ group: groupOf(0), id: n, count: 9_999 })), value: null }), 9_000);
  give((n) => record(n, chunkHeaders({ group: groupOf(0), id: 0, count: 2 })), 100_000);
});

test('the oldest group of a partition can be given up', () => {
  const joiner = createJoiner({ clock: time });
  kinds(joiner, chunk(0, 0, 2), chunk(1, 0, 2, 'x', Buffer.alloc(16, 1)));
  const outcome = joiner.giveUpOldest('t', 0);
  assert.ok(outcome?.kind === 'dead' && outcome.reason === 'memory-full');
  assert.deepEqual(outcome.offsets, [0n]);
  assert.equal(joiner.giveUpOldest('t', 1), null);
  assert.equal(joiner.heldGroups, 1);
});

test('no commit behind an unfinished group, nor into the middle of a finished one', () => {
  const other = Buffer.alloc(16, 1);
  const joiner = createJoiner({ clock: time });
  kinds(joiner, chunk(3, 0, 2), record(4, {}), chunk(5, 0, 2, 'x', other), chunk(7, 1, 2));
  assert.equal(joiner.lowestHeldOffset('t', 0), 5n);
  // Offsets 3 and 7 are one message: from 5 on, a restart would find 7 alone.
  assert.equal(joiner.committable('t', 0, 8n), 3n);
  kinds(joiner, chunk(9, 1, 2, 'y', other));
  assert.equal(joiner.committable('t', 0, 9n), 3n);
  assert.equal(joiner.committable('t', 0, 10n), 10n);
  assert.equal(joiner.committable('t', 1, 10n), 10n);
});

test('reading again from an earlier offset, and a partition that was lost', () => {
  const joiner = createJoiner({ clock: time });
  assert.deepEqual(kinds(joiner, chunk(0, 0, 3), chunk(1, 1, 3)), ['held', 'held']);
  assert.deepEqual(kinds(joiner, chunk(1, 1, 3), chunk(2, 2, 3)), ['held', 'message']);
  assert.deepEqual(kinds(joiner, chunk(0, 0, 3), chunk(1, 1, 3), chunk(2, 2, 3)), ['held', 'held', 'message']);
  kinds(joiner, chunk(3, 0, 2, 'n'));
  joiner.forget('t', 0);
  assert.deepEqual([joiner.heldGroups, joiner.heldBytes, joiner.lowestHeldOffset('t', 0)], [0, 0, null]);
});
