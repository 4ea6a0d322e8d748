/** Every 32-bit float must come back from its text; a seeded walk over bit patterns, and the known awkward ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { floatText } from './float-text.ts';

const bits = new DataView(new ArrayBuffer(4));

test('floats keep their value, in the shortest text', () => {
  const known: readonly [number, string][] = [
    [Math.fround(0.1), '0.1'],
    [16777216, '16777216'],
    [Math.fround(3.4028235e38), '3.4028235e+38'],
    [2 ** -149, '1.4013e-45'],
    [-0, '-0'],
    [0, '0'],
    [Math.fround(-1.17549435e-38), '-1.1754944e-38'],
  ];
  for (const [value, text] of known)
    assert.equal(floatText(value.toString() === '0' && Object.is(value, -0) ? '-0' : String(value)), text);
});

test('any float read back is the same float, and its text is JSON', () => {
  let state = 12345;
  for (let round = 0; round < 200_000; round += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bits.setUint32(0, state);
    const value = bits.getFloat32(0);
    if (!Number.isFinite(value)) continue;
    const text = floatText(Object.is(value, -0) ? '-0' : String(value));
    assert.ok(Object.is(Math.fround(Number(text)), value), `${value} became ${text}`);
    assert.ok(Object.is(JSON.parse(text), Number(text)));
  }
});
