/** Records that break a connection are told from brokers that are away; what is learnt of sizes and addresses is asked for again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BrokerMemory } from './broker-memory.ts';
import { Closings } from './closings.ts';
import { throttleOf } from './muted-sockets.ts';
import { SizeBook } from './size-book.ts';
import { Throttles } from './throttles.ts';

function clockAt() {
  let ms = 0;
  return {
    clock: { nowMs: () => ms, wallMs: () => ms, sleep: async () => undefined },
    pass: (forMs: number) => {
      ms += forMs;
    },
  };
}

const B = 'b:1';

describe('a connection that the broker closes', () => {
  test('once is chance, twice in a minute is the rows', () => {
    const { clock, pass } = clockAt();
    const closings = new Closings(clock);
    assert.equal(closings.closed(B, { records: 40, bytes: 9 }), 'world');
    pass(61_000);
    assert.equal(closings.closed(B, { records: 40, bytes: 9 }), 'world', 'long ago');
    assert.equal(closings.closed('c:1', { records: 40, bytes: 9 }), 'world', 'of another broker');
    assert.equal(closings.closed(B, { records: 40, bytes: 9 }), 'rows');
    assert.equal(closings.closed(B, { records: 1, bytes: 9 }), 'rows');
  });

  test('a broker that does not answer, or takes the rows the second time, is not suspected', () => {
    const closings = new Closings(clockAt().clock);
    closings.closed(B, { records: 40, bytes: 9 });
    closings.away(B);
    assert.equal(closings.closed(B, { records: 40, bytes: 9 }), 'world');
    closings.taken(B);
    assert.equal(closings.closed(B, { records: 40, bytes: 9 }), 'world');
  });

  test('one that closes every connection does not set aside one row after the other', () => {
    const closings = new Closings(clockAt().clock);
    closings.closed(B, { records: 1, bytes: 100 });
    assert.equal(closings.closed(B, { records: 1, bytes: 100 }), 'rows', 'the first');
    const next = Array.from({ length: 4 }, () => closings.closed(B, { records: 1, bytes: 90 }));
    assert.deepEqual(next, ['world', 'world', 'world', 'world']);
    assert.equal(closings.closed(B, { records: 1, bytes: 120 }), 'rows', 'one that is as large is like the first');
    closings.taken(B);
    assert.equal(closings.closed(B, { records: 1, bytes: 90 }), 'rows', 'it takes others');
  });
});

describe('what is known of sizes', () => {
  test('a limit that was told counts until it is told anew, and is asked for less and less often while it stands', () => {
    const { clock, pass } = clockAt();
    const book = new SizeBook(clock);
    assert.deepEqual([book.of('t'), book.isDue('t')], [null, true]);
    book.told('t', 10_000);
    assert.deepEqual([book.of('t'), book.isDue('t'), book.isDue('t', true)], [10_000, false, false]);
    const waits: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      let waitedMs = 0;
      for (; !book.isDue('t', true); waitedMs += 500) pass(500);
      waits.push(waitedMs);
      book.told('t', 10_000);
    }
    assert.deepEqual(waits, [1_500, 2_500, 4_500, 8_500, 16_500, 32_500, 60_500, 60_500, 60_500]);
    book.told('t', 20_000);
    pass(1_001);
    assert.deepEqual([book.of('t'), book.isDue('t', true)], [20_000, true], 'it was changed: soon again');
  });

  test('where nobody tells, refusals do, for a while that grows', () => {
    const { clock, pass } = clockAt();
    const book = new SizeBook(clock);
    book.told('t', null);
    assert.deepEqual([book.of('t'), book.isDue('t', true)], [null, false]);
    book.refused('t', 5_000);
    book.refused('t', 7_000);
    assert.equal(book.of('t'), 4_999, 'the least that was refused');
    pass(1_001);
    assert.equal(book.of('t'), null, 'one is sent again, to see');
    book.refused('t', 5_000);
    pass(1_001);
    assert.equal(book.of('t'), 4_999, 'it stands: longer this time');
  });

  test('a broker that tells is asked again when it refuses what should fit', () => {
    const book = new SizeBook(clockAt().clock);
    book.told('t', 10_000);
    book.refused('t', 9_000);
    assert.deepEqual([book.of('t'), book.isDue('t')], [null, true]);
  });
});

test('addresses that answered come first, those that did not come last, for ten minutes', () => {
  const { clock, pass } = clockAt();
  const memory = new BrokerMemory(clock);
  const of = (host: string) => ({ host, port: 1 });
  const sorted = () => memory.sort(['hole', 'new', 'good'].map(of)).map(({ host }) => host);
  memory.note(of('hole'), false);
  memory.note(of('good'), true);
  assert.deepEqual(sorted(), ['good', 'new', 'hole']);
  assert.deepEqual(['hole', 'good', 'new'].map((host) => memory.isTrusted(of(host))), [false, true, true]); // biome-ignore format: one line
  pass(10 * 60_000 + 1);
  assert.deepEqual(sorted(), ['hole', 'new', 'good']);
});

test('throttling is read where each answer has it, and summed over a minute', () => {
  const { clock, pass } = clockAt();
  const payload = Buffer.alloc(12);
  payload.writeInt32BE(700, 2);
  payload.writeInt32BE(900, 8);
  assert.deepEqual(
    [
      throttleOf({}, payload, 2),
      throttleOf({ throttleAt: 'end' }, payload, 2),
      throttleOf({ throttleAt: null }, payload, 2),
    ],
    [700, 900, 0],
  );
  assert.equal(throttleOf({}, payload, 10), 0, 'an answer without room for it');
  const throttles = new Throttles(clock);
  assert.equal(throttles.worst(), null);
  throttles.note('a:1', 500);
  pass(100);
  throttles.note('b:1', 400);
  pass(30_000);
  throttles.note('b:1', 300);
  assert.deepEqual(throttles.worst(), { broker: 'b:1', lastMinuteMs: 700 });
  pass(30_000);
  assert.deepEqual([throttles.worst(), throttles.has('a:1')], [{ broker: 'b:1', lastMinuteMs: 300 }, false]);
  pass(60_000);
  assert.equal(throttles.worst(), null);
});
