import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LANE_SPAN, laneEnd, laneFloor, laneOf, outboxId, pickLane, sequenceOf } from './lane.ts';
import { murmur2 } from './murmur2.ts';

describe('lanes and ids', () => {
  it('keeps every id of 1,024 lanes a safe integer', () => {
    assert.ok(Number.isSafeInteger(outboxId(1023, LANE_SPAN - 1)));
    assert.equal(laneEnd(1023) - 1, Number.MAX_SAFE_INTEGER);
  });

  it('gives lane and sequence back', () => {
    for (const [lane, sequence] of [
      [0, 1],
      [7, 123_456],
      [1023, LANE_SPAN - 1],
    ] as const) {
      const id = outboxId(lane, sequence);
      assert.equal(laneOf(id), lane);
      assert.equal(sequenceOf(id), sequence);
      assert.ok(id > laneFloor(lane) && id < laneEnd(lane));
    }
  });

  it('refuses what no lane has', () => {
    for (const [lane, sequence] of [
      [-1, 1],
      [1024, 1],
      [0, 0],
      [0, LANE_SPAN],
    ] as const) {
      assert.throws(() => outboxId(lane, sequence), RangeError);
    }
  });

  it('gives a key one lane whatever its sequence, and spreads rows without a key', () => {
    const lanes = [8, 9, 10, 11];
    const key = Buffer.from('order-17');
    assert.equal(new Set([1, 2, 3, 99].map((sequence) => pickLane(lanes, key, sequence))).size, 1);
    assert.deepEqual(
      [4, 5, 6, 7].map((sequence) => pickLane(lanes, null, sequence)),
      lanes,
    );
  });
});

describe('murmur2', () => {
  // The vectors of org.apache.kafka.common.utils.UtilsTest.
  for (const [text, hash] of [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ] as const) {
    it(`hashes ${text} as Kafka's Java client does`, () => assert.equal(murmur2(Buffer.from(text)), hash));
  }
});
