/** What a consumer is shown of fetched bytes: each batch it can read, and why not the next one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#testkit';
import { COMPRESSIONS } from './codecs/codecs.ts';
import { decodeSet } from './consumed-records.ts';
import { crc32c } from './wire/crc32c.ts';
import { type BatchContext, type RecordContent, writeRecordBatch } from './wire/record-batch.ts';
import { WireWriter } from './wire/wire-writer.ts';

const context: BatchContext = {
  producerId: 5,
  producerEpoch: 0,
  firstSequence: 0,
  transactional: false,
  timestampMs: 1_790_000_000_000,
  compression: 'none',
  bytesMax: 64 * 1024 * 1024,
};
const ATTRIBUTES = 21;
const LAST_OFFSET_DELTA = 23;
const CRC = 17;

/** A batch at an offset, with changes to its bytes and a checksum that fits them. */
async function batch(
  offset: number,
  records: readonly RecordContent[],
  change: (bytes: Buffer) => void = () => undefined,
  compression: BatchContext['compression'] = 'none',
): Promise<Buffer> {
  const writer = new WireWriter(16);
  await writeRecordBatch(writer, records, 0, { ...context, compression });
  const bytes = Buffer.from(writer.written());
  bytes.writeBigInt64BE(BigInt(offset), 0);
  change(bytes);
  bytes.writeUInt32BE(crc32c(bytes, ATTRIBUTES, bytes.length), CRC);
  return bytes;
}

const record = (value: string, headers: RecordContent['headers'] = {}): RecordContent => ({
  key: null,
  value: Buffer.from(value),
  headers,
});

const decode = (position: number, ...batches: readonly Buffer[]) =>
  decodeSet(Buffer.concat([Buffer.alloc(4), ...batches]), position, { bytesLeft: 64 * 1024 * 1024 });

const offsets = ({ messages }: Awaited<ReturnType<typeof decode>>) => messages.map(({ offset }) => Number(offset));

test('each codec', async () => {
  for (const codec of COMPRESSIONS) {
    const set = await batch(3, [record('a', { h: 'x' }), record('b')], undefined, codec);
    const { messages, fault } = await decode(3, set);
    assert.equal(fault, null);
    assert.deepEqual(
      messages.map(({ value }) => String(value)),
      ['a', 'b'],
    );
    assert.equal(String(messages[0]?.headers?.h), 'x');
    assert.equal(messages[1]?.timestamp, '1790000000000');
  }
});

test('what cannot be read stops behind what can be, and says from where to where', async () => {
  const good = await batch(0, [record('a'), record('b')]);
  const strange = await batch(2, [record('c'), record('d')], (bytes) => bytes.writeInt16BE(5, ATTRIBUTES));
  const damaged = await batch(2, [record('c')]);
  damaged.writeUInt8(damaged.readUInt8(66) ^ 1, 66);
  const liar = await batch(2, [record('c')], (bytes) => bytes.writeInt32BE(1_000_000, 57));
  const short = await batch(2, [record('c')], (bytes) => bytes.writeInt8(120, 61));
  const tiny = await batch(2, [record('c')], (bytes) => bytes.writeInt32BE(3, 8));
  const long = await batch(2, [record('c')], (bytes) => bytes.writeInt32BE(2 ** 30, 8));
  for (const bad of [strange, damaged, liar, short, tiny]) {
    const after = await decode(0, good, bad);
    assert.deepEqual(offsets(after), [0, 1]);
    assert.equal(after.fault?.code, 'KAFKA_UNREADABLE');
    assert.equal(after.fault?.details.offset, 2);
    assert.deepEqual(offsets(await decode(2, bad)), []);
  }
  assert.equal((await decode(2, strange)).fault?.details.nextOffset, 4);
  assert.equal((await decode(2, long)).fault?.code, 'KAFKA_UNREADABLE');
  assert.deepEqual(offsets(await decode(0, good, long)), [0, 1]);
});

test('a batch that compaction has emptied, or cut short, is passed', async () => {
  const emptied = await batch(5, [], (bytes) => bytes.writeInt32BE(4, LAST_OFFSET_DELTA));
  const cut = await batch(5, [record('a')], (bytes) => bytes.writeInt32BE(4, LAST_OFFSET_DELTA));
  assert.deepEqual(offsets(await decode(5, emptied)), [9]);
  assert.deepEqual(offsets(await decode(5, cut)), [5, 9]);
  const { messages } = await decode(5, cut);
  assert.deepEqual(
    messages.map(({ isControlRecord }) => isControlRecord),
    [false, true],
  );
});

test('headers of strangers: names that objects have, no value, the same name often, a great many', async () => {
  const names = { ['__proto__']: 'a', constructor: 'b', toString: 'c' };
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`h${n}`, '']));
  const same = { h: Array.from({ length: 100_000 }, () => 'x') };
  const set = await batch(0, [record('a', names), record('b', many), record('c', same), record('d', { none: null })]);
  const begun = performance.now();
  const { messages, fault } = await decode(0, set);
  assert.equal(fault, null);
  assert.ok(performance.now() - begun < 60_000, 'in time that grows with the number of headers only');
  assert.deepEqual(Object.keys(messages[0]?.headers ?? {}), ['__proto__', 'constructor', 'toString']);
  assert.equal(String(messages[0]?.headers?.constructor), 'b');
  assert.equal(Object.keys(messages[1]?.headers ?? {}).length, 100_000);
  assert.equal([messages[2]?.headers?.h].flat().length, 100_000);
  assert.equal(messages[3]?.headers?.none, null);
});

test('one fetch inflates no more than its budget and the batch it has begun; the rest is fetched again', async () => {
  const large = Array.from({ length: 3 }, (_, n) => batch(n, [record('x'.repeat(4_000))], undefined, 'zstd'));
  const sized = Buffer.concat([Buffer.alloc(4), ...(await Promise.all(large))]);
  const { messages, fault } = await decodeSet(sized, 0, { bytesLeft: 6_000 });
  assert.equal(fault, null);
  assert.equal(messages.length, 2);
});

test('bytes by chance behind a checksum that fits: read or refused, in order, and never for long', async () => {
  const random = seededRandom(5);
  const pick = (below: number) => Math.floor(random() * below);
  const records = [record('a', { h: 'x', n: null }), record('b'.repeat(300)), record('c')];
  const begun = performance.now();
  let refused = 0;
  for (let turn = 0; turn < 1_500; turn += 1) {
    const set = await batch(7, records, (bytes) => {
      for (let i = 1 + pick(3); i > 0; i -= 1) bytes[ATTRIBUTES + pick(bytes.length - ATTRIBUTES)] = pick(256);
    });
    const decoded = await decode(7, set);
    if (decoded.fault !== null) {
      refused += 1;
      assert.equal(decoded.fault.code, 'KAFKA_UNREADABLE');
      assert.deepEqual(decoded.messages, []);
    }
  }
  assert.ok(refused > 50, `${refused} refused`);
  assert.ok(performance.now() - begun < 60_000);
});
