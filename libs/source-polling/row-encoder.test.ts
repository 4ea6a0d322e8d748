/** JSON of rows as bytes, without a server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowBytes, type WireColumn } from '#database';
import { ByteWriter } from './byte-writer.ts';
import { type ColumnKind, resolveKinds } from './column-kinds.ts';
import type { PlanColumn, ReadPlan } from './read-plan.ts';
import { RowEncoder } from './row-encoder.ts';

const column = (name: string, at: number, more: Partial<PlanColumn> = {}): PlanColumn => ({
  name,
  at,
  doubleAt: null,
  checkedJson: false,
  ...more,
});

function planOf(columns: readonly PlanColumn[], more: Partial<ReadPlan> = {}): ReadPlan {
  return {
    sourceName: 'src',
    from: '',
    watermark: '`id`',
    selectList: '*',
    expectedNames: columns.map(({ name }) => name),
    jsonColumns: columns,
    position: columns[0] as PlanColumn,
    key: null,
    topic: null,
    fallbackTopic: 'events',
    event: null,
    ...more,
  };
}

/** A row as it comes off the wire, between bytes of others. */
function rowOf(values: readonly (Buffer | null)[]): RowBytes {
  const parts = values.flatMap((value) => {
    if (value === null) return [Buffer.from([0xfb])];
    const length = Buffer.alloc(9, 0xfe);
    length.writeBigUInt64LE(BigInt(value.length), 1);
    return [length, value];
  });
  const around = Buffer.from('"around"');
  const bytes = Buffer.concat([around, ...parts, around]);
  const row = new RowBytes(values.length);
  row.read(bytes, around.length, bytes.length - around.length);
  return row;
}

/** The JSON of `{id: 1, v: <value>}` with v of that kind. */
function encodeValue(kind: ColumnKind, value: Buffer | null, double: Buffer | null = null): string {
  const columns = [column('id', 0), column('v', 1, { doubleAt: 2 })];
  const encoder = new RowEncoder(planOf(columns), ['number', kind, 'number']);
  const row = encoder.encode(rowOf([Buffer.from('1'), value, double]));
  return (row.value as Buffer).toString('utf8').slice('{"id":1,"v":'.length, -1);
}

const text = (value: string): string => encodeValue('text', Buffer.from(value));

test('text is escaped as JSON.stringify does, byte for byte', () => {
  const controls = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code)).join('');
  const awkward = [
    '',
    'plain',
    'a"b\\c/d',
    controls,
    '\u007f\u0080\u07ff\u0800\ud7ff\ue000\ufffd\uffff\u2028\u2029\ufeffBOM',
    '\u{1f426}\u{10ffff}\u{10000}',
    '\ud55c\uae00 \ud7a3',
    '"'.repeat(5000),
    '\u0001'.repeat(100_000),
    'x'.repeat(1_000_000),
  ];
  for (const value of awkward) assert.equal(text(value), JSON.stringify(value));
});

test('half a surrogate pair becomes its escape, as JSON.stringify writes it', () => {
  assert.equal(encodeValue('text', Buffer.from([0x61, 0xed, 0xa0, 0x80, 0x62])), JSON.stringify('a\ud800b'));
  assert.equal(encodeValue('text', Buffer.from([0xed, 0xbf, 0xbf])), JSON.stringify('\udfff'));
});

test('numbers keep every digit, and lose the zeros in front that JSON forbids', () => {
  const number = (digits: string): string => encodeValue('number', Buffer.from(digits));
  const kept = ['0', '-1', '18446744073709551615', '0.10', '-0.000', '1e-307', '12345678901234567890.123456789'];
  for (const digits of kept) assert.equal(number(digits), digits);
  assert.deepEqual(['00042', '0000', '007.50', '000.5'].map(number), ['42', '0', '7.50', '0.5']);
});

test('NULL, base64, JSON and FLOAT', () => {
  assert.equal(encodeValue('text', null), 'null');
  assert.equal(encodeValue('float', null), 'null');
  assert.equal(encodeValue('base64', Buffer.from([0, 255, 1])), '"AP8B"');
  assert.equal(encodeValue('base64', Buffer.alloc(0)), '""');
  assert.equal(encodeValue('json', Buffer.from('{"a": 1.10}')), '{"a": 1.10}');
  assert.equal(encodeValue('checked-json', Buffer.from(' [12345678901234567890] ')), ' [12345678901234567890] ');
  assert.equal(encodeValue('checked-json', Buffer.from('{broken')), '"{broken"');
  assert.equal(encodeValue('float', Buffer.from('0.1'), Buffer.from('0.10000000149011612')), '0.1');
});

test('column names are escaped, and no column at all is an empty object', () => {
  const odd = new RowEncoder(planOf([column('a"b\u00e9', 0)]), ['number']);
  assert.equal(odd.encode(rowOf([Buffer.from('1')])).value?.toString(), '{"a\\"b\u00e9":1}');
  const none = new RowEncoder(planOf([column('id', 0)], { jsonColumns: [] }), ['number']);
  assert.equal(none.encode(rowOf([Buffer.from('1')])).value?.toString(), '{}');
});

test('position, event id, key and topic', () => {
  const columns = [column('id', 0), column('k', 1), column('t', 2)];
  const plan = planOf(columns, { key: columns[1] as PlanColumn, topic: columns[2] as PlanColumn, fallbackTopic: '' });
  const encoder = new RowEncoder(plan, ['number', 'text', 'text']);
  const row = encoder.encode(rowOf([Buffer.from('18446744073709551615'), Buffer.from('a"b'), Buffer.from('orders')]));
  assert.equal(row.position, 18446744073709551615n);
  assert.equal(row.eventId, 'src:18446744073709551615');
  assert.equal(row.key?.toString(), 'a"b', 'no escapes in a key');
  assert.equal(row.topic, 'orders');
  const bare = encoder.encode(rowOf([Buffer.from('0007'), null, null]));
  assert.deepEqual([bare.position, bare.eventId, bare.key, bare.topic], [7n, 'src:7', null, '']);
});

test('many rows share slabs without touching one another', () => {
  const encoder = new RowEncoder(planOf([column('id', 0), column('v', 1)]), ['number', 'text'], new ByteWriter());
  const sizes = Array.from({ length: 500 }, (_, index) => (index * 7919) % 20_000);
  const rows = sizes.map((size, index) =>
    encoder.encode(rowOf([Buffer.from(String(index)), Buffer.from('y'.repeat(size))])),
  );
  for (const [index, row] of rows.entries()) {
    assert.equal(row.value?.toString(), `{"id":${index},"v":"${'y'.repeat(sizes[index] as number)}"}`);
  }
});

test('a result that does not fit the plan is stale', () => {
  const field = (name: string, columnType: number, encoding = 'utf8', characterSet = 45): WireColumn => ({
    name,
    columnType,
    characterSet,
    encoding,
  });
  const plan = planOf([column('id', 0), column('v', 1)]);
  assert.deepEqual(resolveKinds(plan, [field('id', 8), field('v', 253)]), ['number', 'text']);
  assert.equal(resolveKinds(plan, [field('id', 8)]), 'stale', 'a column is gone');
  assert.equal(resolveKinds(plan, [field('id', 8), field('w', 253)]), 'stale', 'a column has another name');
  assert.equal(resolveKinds(plan, [field('id', 8), field('v', 4)]), 'stale', 'a column became FLOAT');
  assert.equal(resolveKinds(plan, [field('id', 253), field('v', 253)]), 'stale', 'the watermark became text');
  assert.equal(resolveKinds(plan, [field('id', 8), field('v', 253, 'latin1', 8)]), 'not-utf8');
});
