/** Nothing is called written for good while records of its transaction may still be lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Acknowledged, type SentEnd } from './acknowledged.ts';

const ends = (end: number) => new Map<string, SentEnd>([['t/0', { topic: 't', partition: 0, end }]]);
const markers = (value: number) => new Map([['lane/0', value]]);
const decided = async () => false;
const undecided = async () => true;
const standing = async () => true;
const producer = { transactionalId: 'p.t.sender.a', producerId: 7, producerEpoch: 0 };

test('a marker counts once the records of its transaction are decided, and not before', async () => {
  const sent = new Acknowledged(producer);
  sent.add(100, ends(10), markers(5));
  assert.equal(sent.cap('lane/0', 5), -1);
  await sent.look(undecided, standing);
  assert.equal(sent.cap('lane/0', 5), -1);
  await sent.look(decided, standing);
  assert.equal(sent.cap('lane/0', 5), 5);
  assert.equal(sent.cap('lane/1', 9), 9, 'a marker that was not written here is as Kafka says');
});

test('while one waits, what was decided before it still counts', async () => {
  const sent = new Acknowledged(producer);
  sent.add(100, ends(10), markers(5));
  await sent.look(decided, standing);
  sent.add(200, ends(20), markers(8));
  assert.equal(sent.cap('lane/0', 8), 5);
  await sent.look(undecided, standing);
  assert.equal(sent.cap('lane/0', 8), 5);
});

test('what is acknowledged during a look waits for the next one', async () => {
  const sent = new Acknowledged(producer);
  sent.add(100, ends(10), markers(5));
  let asked: readonly SentEnd[] = [];
  await sent.look(async (open) => {
    if (asked.length === 0) sent.add(200, ends(20), markers(8));
    else return true;
    asked = open;
    return false;
  }, standing);
  assert.deepEqual(asked, [...ends(10).values()]);
  assert.equal(sent.cap('lane/0', 8), 5);
  assert.equal(sent.sinceMs(300), 200);
});

test('the oldest time is that of what is still open, or now', async () => {
  const sent = new Acknowledged(producer);
  assert.equal(sent.sinceMs(50), 50);
  sent.add(100, ends(10), markers(5));
  sent.add(150, ends(20), markers(6));
  assert.equal(sent.sinceMs(200), 100);
  await sent.look(decided, standing);
  assert.equal(sent.sinceMs(200), 200);
});

test('what looks decided after somebody fenced the producer may have been aborted: it does not count', async () => {
  const sent = new Acknowledged(producer);
  sent.add(100, ends(10), markers(5));
  const asked: string[] = [];
  const look = async () => asked.push('look') === 0;
  const proof = async () => asked.push('proof') === 0;
  await sent.look(look, proof);
  assert.deepEqual(asked, ['look', 'proof'], 'the proof comes last: a fence in between must not pass');
  assert.equal(sent.cap('lane/0', 5), -1);
});

test('a marker written again as it was is not settled until that is decided, too', async () => {
  const sent = new Acknowledged(producer);
  sent.add(100, ends(10), markers(5));
  await sent.look(decided, standing);
  sent.add(200, new Map(), markers(5));
  assert.equal(sent.cap('lane/0', 5), 4);
  await sent.look(decided, standing);
  assert.equal(sent.cap('lane/0', 5), 5);
});
