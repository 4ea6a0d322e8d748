/** Nothing is called written for good while records of its transaction may still be lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Acknowledged, type SentEnd } from './acknowledged.ts';

const ends = (end: number) => new Map<string, SentEnd>([['t/0', { topic: 't', partition: 0, end }]]);
const markers = (value: number) => new Map([['lane/0', value]]);
const decided = async () => false;
const undecided = async () => true;

test('a marker counts once the records of its transaction are decided, and not before', async () => {
  const sent = new Acknowledged(7);
  sent.add(100, ends(10), markers(5));
  assert.equal(sent.cap('lane/0', 5), -1);
  await sent.look(undecided);
  assert.equal(sent.cap('lane/0', 5), -1);
  await sent.look(decided);
  assert.equal(sent.cap('lane/0', 5), 5);
  assert.equal(sent.cap('lane/1', 9), 9, 'a marker that was not written here is as Kafka says');
});

test('while one waits, what was decided before it still counts', async () => {
  const sent = new Acknowledged(7);
  sent.add(100, ends(10), markers(5));
  await sent.look(decided);
  sent.add(200, ends(20), markers(8));
  assert.equal(sent.cap('lane/0', 8), 5);
  await sent.look(undecided);
  assert.equal(sent.cap('lane/0', 8), 5);
});

test('what is acknowledged during a look waits for the next one', async () => {
  const sent = new Acknowledged(7);
  sent.add(100, ends(10), markers(5));
  let asked: readonly SentEnd[] = [];
  await sent.look(async (open) => {
    if (asked.length === 0) sent.add(200, ends(20), markers(8));
    else return true;
    asked = open;
    return false;
  });
  assert.deepEqual(asked, [...ends(10).values()]);
  assert.equal(sent.cap('lane/0', 8), 5);
  assert.equal(sent.sinceMs(300), 200);
});

test('the oldest time is that of what is still open, or now', async () => {
  const sent = new Acknowledged(7);
  assert.equal(sent.sinceMs(50), 50);
  sent.add(100, ends(10), markers(5));
  sent.add(150, ends(20), markers(6));
  assert.equal(sent.sinceMs(200), 100);
  await sent.look(decided);
  assert.equal(sent.sinceMs(200), 200);
});
