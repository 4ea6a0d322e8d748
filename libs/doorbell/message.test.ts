/** What comes in from the channel is checked: anybody may write to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage, encodeMessage } from './message.ts';

test('a message survives the way', () => {
  const rings = [
    { kind: 'rows', lanes: [0, 1023] },
    { kind: 'leader-gone', source: 'orders' },
    { kind: 'source-rows', source: 'orders' },
    { kind: 'lanes-changed' },
    { kind: 'retry-due', lanes: [] },
  ] as const;
  assert.deepEqual(decodeMessage(encodeMessage({ from: 'me', rings })), { from: 'me', rings });
});

test('malformed messages are ignored', () => {
  const malformed = [
    '',
    'null',
    '[]',
    '7',
    '{"v":1',
    '{"v":2,"from":"x","rings":[]}',
    '{"v":1,"rings":[]}',
    '{"v":1,"from":7,"rings":[]}',
    '{"v":1,"from":"x","rings":{}}',
    `{"v":1,"from":"x","rings":[],"padding":"${'x'.repeat(600_000)}"}`,
  ];
  for (const text of malformed) assert.equal(decodeMessage(text), null, text.slice(0, 40));
});

test('rings that are out of bounds or of an unknown kind are left out, the others stay', () => {
  const rings = [
    { kind: 'rows', lanes: [1024] },
    { kind: 'rows', lanes: [-1] },
    { kind: 'rows', lanes: ['1'] },
    { kind: 'rows', lanes: [1.5] },
    { kind: 'rows', lanes: Array(1025).fill(1) },
    { kind: 'rows' },
    { kind: 'leader-gone', source: '' },
    { kind: 'leader-gone', source: 'x'.repeat(256) },
    { kind: 'from-the-future' },
    null,
    { kind: 'lanes-changed', more: 'ignored' },
  ];
  const decoded = decodeMessage(JSON.stringify({ v: 1, from: 'x', rings }));
  assert.deepEqual(decoded?.rings, [{ kind: 'lanes-changed' }]);
});
