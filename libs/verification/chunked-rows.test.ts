/** A row in chunks counts once, when the last missing chunk of it is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkHeaders } from '#chunking';
import { ChunkedRows } from './chunked-rows.ts';

const group = Buffer.alloc(16, 5);
const chunk = (id: number, count = 3, key: Buffer | null = Buffer.from('k')) => {
  const rawHeaders = chunkHeaders({ group, id, count });
  return { topic: 't', partition: 0, key, rawHeaders };
};

test('whole with the last missing chunk, whatever the order; a duplicate of a chunk counts for nothing', () => {
  const rows = new ChunkedRows();
  const seen = [2, 0, 0, 2].map((id) => rows.whole(chunk(id)));
  assert.deepEqual(seen, [null, null, null, null]);
  assert.equal(rows.whole({ ...chunk(1), partition: 1 }), null);
  assert.deepEqual(rows.whole(chunk(1)), { key: Buffer.from('k') });
});

test('the same row a second time counts a second time', () => {
  const rows = new ChunkedRows();
  assert.deepEqual([0, 1, 0, 1].map((id) => rows.whole(chunk(id, 2)) !== null), [false, true, false, true]); // biome-ignore format: one line
});

test('without a key its chunks have the group as key; a record that is no chunk is its own', () => {
  const rows = new ChunkedRows();
  assert.deepEqual(rows.whole(chunk(0, 1, group)), { key: null });
  assert.deepEqual(rows.whole({ ...chunk(0), rawHeaders: null }), { key: Buffer.from('k') });
  assert.equal(rows.whole({ ...chunk(0), rawHeaders: { retriable_kafka_chunk_id: 'x' } }), null);
});
