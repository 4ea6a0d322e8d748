/** Our record batches are byte for byte those of kafkajs's own encoder, and survive our decoder. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { COMPRESSIONS } from '../codecs/codecs.ts';
import { crc32c } from './crc32c.ts';
import { readRecordBatches } from './read-record-batches.ts';
import { type BatchContext, batchBytesOf, type RecordContent, writeRecordBatch } from './record-batch.ts';
import { WireWriter } from './wire-writer.ts';

const require = createRequire(import.meta.url);

type KafkajsProtocol = (options: object) => {
  request: { encode(): Promise<{ buffer: Buffer }> };
};
const kafkajsProduce = require('kafkajs/src/protocol/requests/produce').protocol({ version: 7 }) as KafkajsProtocol;
const kafkajsCrc = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;

const TIMESTAMP_MS = 1_790_000_000_123;
const context: BatchContext = {
  producerId: 7_000_123,
  producerEpoch: 12,
  firstSequence: 2_147_483_000,
  transactional: true,
  timestampMs: TIMESTAMP_MS,
  compression: 'none',
  bytesMax: 900_000,
};

const record = (changes: Partial<RecordContent> = {}): RecordContent => ({
  key: Buffer.from('key-1'),
  value: Buffer.from('{"a":1}'),
  headers: { id: 'orders:1', 'outbox-id': '8796093022209', source: 'orders' },
  ...changes,
});

async function ours(records: readonly RecordContent[], changes: Partial<BatchContext> = {}): Promise<Buffer> {
  const writer = new WireWriter(16);
  const next = await writeRecordBatch(writer, records, 0, { ...context, ...changes });
  assert.equal(next, records.length);
  return Buffer.from(writer.written());
}

/** What kafkajs puts on the wire for the same records, from the batch's first byte. */
async function theirs(records: readonly RecordContent[], transactional: boolean): Promise<Buffer> {
  const { producerId, producerEpoch, firstSequence } = context;
  const messages = records.map((each) => ({ ...each, timestamp: TIMESTAMP_MS }));
  const { request } = kafkajsProduce({
    acks: -1,
    timeout: 1000,
    transactionalId: transactional ? 'x' : null,
    producerId,
    producerEpoch,
    compression: 0,
    topicData: [{ topic: 't', partitions: [{ partition: 0, firstSequence, messages }] }],
  });
  const { buffer } = await request.encode();
  const size = records.length === 0 ? 0 : buffer.length;
  const header = (transactional ? 3 : 2) + 2 + 4 + 4 + 3 + 4 + 4 + 4;
  return Buffer.from(buffer.subarray(header, size));
}

/** Lengths around which a varint grows by a byte, and text whose bytes are more than its characters. */
const CASES: Readonly<Record<string, readonly RecordContent[]>> = {
  'one record': [record()],
  'null key, null value, no headers': [record({ key: null, value: null, headers: {} })],
  'empty key and value': [record({ key: Buffer.alloc(0), value: Buffer.alloc(0) })],
  'UTF-8 headers': [record({ headers: { 'ключ-🚀': 'Größe €', empty: '' } })],
  'many records': Array.from({ length: 300 }, (_, index) => record({ value: Buffer.from(`{"n":${index}}`) })),
  'values of every length around the varint steps': [
    50, 51, 52, 53, 54, 55, 56, 57, 8130, 8150, 8190, 8192, 70_000,
  ].map((length) => record({ key: null, headers: {}, value: Buffer.alloc(length, 'v') })),
  'records of every length from 0 to 200': Array.from({ length: 200 }, (_, length) =>
    record({ key: null, headers: { h: 'é' }, value: Buffer.alloc(length, 'v') }),
  ),
  'headers of every length around the varint steps': [0, 1, 62, 63, 64, 65, 8191, 8192].map((length) =>
    record({ headers: { h: 'x'.repeat(length), ü: 'ü'.repeat(Math.ceil(length / 2)) } }),
  ),
};

for (const [title, records] of Object.entries(CASES)) {
  test(`the bytes are those of kafkajs: ${title}`, async () => {
    assert.deepEqual(await ours(records), await theirs(records, true));
    assert.deepEqual(await ours(records, { transactional: false }), await theirs(records, false));
  });

  test(`what was written is read: ${title}`, async () => {
    for (const compression of COMPRESSIONS) {
      const set = await ours(records, { compression });
      const read = readRecordBatches(set, 0, [], true);
      assert.equal(read.nextOffset, records.length);
      assert.deepEqual(
        read.records.map(({ key, value, headers }) => ({ key, value, headers })),
        records,
      );
      assert.ok(read.records.every(({ timestampMs }) => timestampMs === TIMESTAMP_MS));
    }
  });
}

test('a batch stops at its bound, but takes its first record whatever its size', async () => {
  const records = Array.from({ length: 10 }, () => record({ value: Buffer.alloc(1000) }));
  const writer = new WireWriter();
  assert.equal(await writeRecordBatch(writer, records, 2, { ...context, bytesMax: 3500 }), 5);
  assert.ok(writer.offset <= 3500);
  assert.equal(await writeRecordBatch(new WireWriter(), records, 9, { ...context, bytesMax: 10 }), 10);
});

test('a set cut off in the middle gives the whole batches and where to go on', async () => {
  const set = await ours([record(), record()]);
  const cut = set.subarray(0, set.length - 1);
  assert.equal(readRecordBatches(Buffer.concat([set, cut]), 0, [], false).nextOffset, 2);
  // Brokers give at least the first batch whole: to wait for it would be to wait for ever.
  assert.throws(() => readRecordBatches(cut, 5, [], false), { code: 'KAFKA_UNREADABLE' });
});

test('CRC-32C: the check value of the standard, and kafkajs on every alignment', () => {
  assert.equal(crc32c(Buffer.from('123456789'), 0, 9), 0xe3069283);
  const bytes = Buffer.from(Array.from({ length: 100 }, (_, index) => (index * 7919) & 255));
  for (let start = 0; start < 12; start += 1) {
    for (let end = start; end <= bytes.length; end += 1) {
      assert.equal(crc32c(bytes, start, end), kafkajsCrc(bytes.subarray(start, end)));
    }
  }
});

test('what a batch of one record takes is known without writing it', async () => {
  const records = [
    record(),
    record({ key: null, value: null, headers: {} }),
    record({ key: Buffer.alloc(0), value: Buffer.alloc(70_000) }),
    record({ headers: { ü: 'ä'.repeat(3_000), many: ['a', Buffer.from('bcd')], bytes: Buffer.alloc(200) } }),
    record({ value: Buffer.alloc(2_200_000) }),
  ];
  for (const each of records) {
    assert.equal(batchBytesOf(each), (await ours([each])).length);
    assert.equal(batchBytesOf({ ...each, value: null }, each.value?.length ?? null), batchBytesOf(each));
  }
});
