/** Columns of a text row: every way to write a length, NULL, and rows that are not what they say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowBytes } from './row-bytes.ts';

function lengthOf(value: Buffer): Buffer {
  const { length } = value;
  if (length < 251) return Buffer.from([length]);
  if (length < 2 ** 16) return Buffer.from([0xfc, length & 255, length >> 8]);
  return Buffer.from([0xfd, length & 255, (length >> 8) & 255, length >> 16]);
}

const wire = (values: readonly (Buffer | null)[]): Buffer =>
  Buffer.concat(values.flatMap((value) => (value === null ? [Buffer.from([0xfb])] : [lengthOf(value), value])));

test('columns of every length, NULL and the empty one told apart, inside a larger buffer', () => {
  const values = [0, 1, 250, 251, 65_535, 65_536, 100_000].map((length) => Buffer.alloc(length, length & 255));
  const columns = [null, ...values, null, Buffer.from('end')];
  const row = new RowBytes(columns.length);
  const bytes = wire(columns);
  row.read(Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]), 6, 6 + bytes.length);
  assert.deepEqual(
    columns.map((_, column) => row.slice(column)),
    columns,
  );
  assert.equal(row.isNull(0), true);
  assert.equal(row.isNull(1), false);
  assert.equal(row.text(columns.length - 1), 'end');
});

test('the same object serves the next row', () => {
  const row = new RowBytes(2);
  const first = wire([Buffer.from('ä'), null]);
  row.read(first, 0, first.length);
  assert.equal(row.text(0), 'ä');
  const second = wire([null, Buffer.from('b')]);
  row.read(second, 0, second.length);
  assert.deepEqual([row.slice(0), row.text(1)], [null, 'b']);
});

test('a row that is longer or shorter than its columns say is refused', () => {
  const bytes = wire([Buffer.from('a'), Buffer.from('b')]);
  const refused = { code: 'INTERNAL' };
  assert.throws(() => new RowBytes(1).read(bytes, 0, bytes.length), refused);
  assert.throws(() => new RowBytes(2).read(bytes, 0, bytes.length - 1), refused);
  assert.throws(() => new RowBytes(1).read(Buffer.from([0xff]), 0, 1), refused);
});
