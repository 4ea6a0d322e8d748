/** Is it the same table? Marks, samples, event ids: the small questions behind a halt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import { beginIncarnation, eventIdAt, incarnationAt, parseEventId } from './incarnations.ts';
import { compareMarks, judgeNextId } from './judge-table.ts';
import type { SourceReader, SourceRow, TableMark } from './ports.ts';
import { ANSWERS, haltsSource } from './source-halts.ts';
import { compareSample, takeSample } from './table-sample.ts';

const mark = (data: TableMark['data'], definition = 'd1', settled = true): TableMark => ({
  data,
  definition,
  definitionStays: true,
  settled,
});

test('marks: the same data is the same table, whatever its definition; other data under one definition is TRUNCATE', () => {
  const one = mark({ '': '1' });
  assert.deepEqual(compareMarks(one, mark({ '': '1' })), { kind: 'none' });
  assert.deepEqual(compareMarks(one, mark({ '': '1' }, 'd2')), { kind: 'definition' });
  assert.deepEqual(compareMarks(one, mark({ '': '2' })), { kind: 'data', parts: [''], certain: true });
  assert.deepEqual(compareMarks(one, mark({ '': '2' }, 'd2')), { kind: 'data', parts: [''], certain: false });
  const young = mark({ '': '1' }, 'd1', false);
  assert.deepEqual(compareMarks(young, mark({ '': '2' })), { kind: 'data', parts: [''], certain: false });
  assert.deepEqual(compareMarks(null, one), { kind: 'unseen' });
  assert.deepEqual(compareMarks(mark(null), mark(null)), { kind: 'unseen' });
  assert.deepEqual(compareMarks(mark(null), mark(null, 'd2')), { kind: 'data', parts: [''], certain: false });
});

test('marks of partitions: those that come or go say nothing, one that is replaced does', () => {
  const two = mark({ p0: '1', p1: '2' });
  assert.deepEqual(compareMarks(two, mark({ p1: '2', p2: '3' }, 'd2')), { kind: 'definition' });
  assert.deepEqual(compareMarks(two, mark({ p0: '9', p1: '2' })), { kind: 'data', parts: ['p0'], certain: true });
  assert.deepEqual(compareMarks(two, mark({ p0: '9', p1: '2' }, 'd2')), { kind: 'none' }, 'rebuilt');
  assert.deepEqual(compareMarks(two, mark({ '': '9' }, 'd2')), { kind: 'data', parts: [''], certain: false });
});

const row = (position: number, key: string | null, value: object): SourceRow => ({
  position: BigInt(position),
  eventId: `s:${position}`,
  topic: 't',
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from(JSON.stringify(value)),
  headers: null,
});

test('a sampled row: the same, another one, gone, or one that may have been changed', () => {
  const columns = ['a', 'b', 'c'];
  const sample = takeSample([row(1, 'k', { a: 1, b: 'x', c: null })], columns);
  const now = (key: string | null, value: object) => compareSample(sample, [row(1, key, value)])[0];
  assert.equal(now('k', { a: 1, b: 'x', c: null, added: 7 }), 'same');
  assert.equal(now('k', { a: 1, b: 'y', c: null }), 'unclear');
  assert.equal(now('k', { a: 2, b: 'y', c: null }), 'other');
  assert.equal(now('k2', { a: 1, b: 'x', c: null }), 'other');
  assert.equal(now('k', { a: 1, b: 'x' }), 'same', 'a column that held NULL');
  assert.deepEqual(compareSample(sample, []), ['gone']);
  const big = takeSample([row(1, null, {})], columns);
  assert.equal(compareSample(big, [row(1, null, {})])[0], 'unclear', 'nothing to tell by');
  const digits = (number: string): SourceRow => ({ ...row(1, null, {}), value: Buffer.from(`{"a":${number}}`) });
  const exact = takeSample([digits('9007199254740993')], ['a']);
  assert.equal(compareSample(exact, [digits('9007199254740992')])[0], 'other');
});

test('incarnations: a row is of the last one that begins below it, and its event id says so', () => {
  const second = beginIncarnation([], 90n);
  const third = beginIncarnation(second, 95n);
  assert.deepEqual(
    [90n, 91n, 95n, 96n].map((position) => incarnationAt(third, position)),
    [1, 2, 2, 3],
  );
  const anew = beginIncarnation(third, 0n);
  assert.deepEqual(anew, [{ number: 4, after: 0n }]);
  assert.equal(incarnationAt(anew, 0n), 1);
  for (const [incarnation, position] of [
    [1, 5n],
    [2, 18_446_744_073_709_551_615n],
    [30, -3n],
  ] as const) {
    const found = parseEventId('a:b', eventIdAt('a:b', incarnation, position));
    assert.deepEqual(found, { incarnation, digits: String(position) });
  }
  for (const text of ['a:b:', 'a:b:x', 'a:b:1:2:3', 'a:b:0:3', 'other:5', 'a:b:2:']) {
    assert.equal(parseEventId('a:b', text), null, text);
  }
});

test('faults of the data halt the source, faults of a process or a moment do not', () => {
  const halting = Object.keys(ANSWERS).filter((code) => haltsSource(new RelayError(code as 'INTERNAL', '')));
  assert.deepEqual(halting.sort(), ['INVARIANT_BROKEN', 'SOURCE_COLUMNS_GONE', 'SOURCE_ID_TWICE', 'SOURCE_WENT_BACK']);
  for (const code of ['DB_UNREACHABLE', 'DB_REFUSED', 'DB_TRANSIENT'] as const) {
    assert.equal(haltsSource(new RelayError(code, '')), false, code);
  }
});

test('the next id: at or below the position is wrong, the last id of a column is not; without one the highest id decides', async () => {
  const ask = (next: bigint | null, highest: bigint | null, passed = true) =>
    judgeNextId({ highestPosition: async () => highest } as SourceReader, next, 100n, passed);
  assert.equal(await ask(101n, null), null);
  assert.match((await ask(100n, 99n)) ?? '', /the next id is 100, rows were moved up to 100/);
  assert.match((await ask(1n, null)) ?? '', /TRUNCATE/);
  assert.match((await ask(50n, 1000n)) ?? '', /the next id is 50/, 'an id that was changed by hand');
  assert.equal(await ask(100n, 100n), null, 'no more ids');
  assert.equal(await ask(1n, null, false), null, 'not moved that far yet');
  assert.match((await ask(null, 99n)) ?? '', /the highest id is 99/);
  assert.equal(await ask(null, null), null, 'empty: there is nothing to miss');
  assert.equal(await ask(null, 100n), null);
});
