/** Since when the last transactions have to be read back, by what stands beside the markers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MarkerNote, noteText, oldestDoubtMs, readNote } from './marker-note.ts';

const note = (producerId: number, producerEpoch: number, sinceMs: number): MarkerNote => {
  return { producerId, producerEpoch, sinceMs };
};

test('a note comes back as it was written; anything else is none', () => {
  assert.deepEqual(readNote(noteText(note(7, 3, 1_700_000_000_000))), note(7, 3, 1_700_000_000_000));
  for (const text of ['', 'by hand', '7 1700000000000', '7 3 -1']) assert.equal(readNote(text), null, text);
});

test('the last marker of a session tells for all lanes that it wrote', () => {
  const notes = new Map([
    [0, note(7, 3, 100)],
    [1, note(7, 3, 250)],
    [2, note(8, 0, 10)],
  ]);
  assert.equal(oldestDoubtMs(notes, [0, 1], [7]), 250);
  assert.equal(oldestDoubtMs(notes, [0, 1, 2], [7, 8]), 10);
});

test('it does not tell for lanes that only an earlier session wrote, whose clock may also have been ahead', () => {
  const notes = new Map([
    [0, note(7, 2, 100)],
    [1, note(7, 3, 250)],
  ]);
  assert.equal(oldestDoubtMs(notes, [0, 1], [7]), 100);
  const setBack = new Map([
    [0, note(7, 2, 9_000)],
    [1, note(7, 3, 250)],
  ]);
  assert.equal(oldestDoubtMs(setBack, [0, 1], [7]), 250);
});

test('a producer that left no marker began after the oldest of the lanes', () => {
  const notes = new Map([
    [0, note(7, 3, 100)],
    [1, note(8, 0, 250)],
  ]);
  assert.equal(oldestDoubtMs(notes, [0, 1], [9]), 100);
  assert.equal(oldestDoubtMs(notes, [1], [9]), 250);
  assert.equal(oldestDoubtMs(notes, [5], [7]), null);
});
