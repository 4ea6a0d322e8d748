/** The partition of a key is the one other clients choose: vectors from the Java client and from librdkafka. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur2 } from '#outbox';
import { pickPartition } from './partitioner.ts';

/** Apache Kafka, UtilsTest.testMurmur2. */
const MURMUR2: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
];

/** librdkafka, tests/0048-partitioner.c: expected partition of 17 for consistent (CRC-32). */
const CRC32_OF_17: readonly (readonly [string, number])[] = [
  ['23456', 0xb1b451d7 % 17],
  ['this is another string with more length to it perhaps', 0xb0150df7 % 17],
  ['hejsan', 0xd077037e % 17],
];

test('murmur2 is that of the Java client', () => {
  for (const [key, hash] of MURMUR2) assert.equal(murmur2(Buffer.from(key)), hash, key);
});

test('java: murmur2 without its sign, modulo the partitions', () => {
  for (const [key, hash] of MURMUR2) {
    for (const partitions of [1, 3, 7, 100]) {
      const expected = (hash & 0x7fffffff) % partitions;
      assert.equal(pickPartition('java', Buffer.from(key), 5, partitions), expected, key);
    }
  }
});

test('librdkafka: CRC-32 modulo the partitions; an empty key counts as none', () => {
  for (const [key, partition] of CRC32_OF_17) {
    assert.equal(pickPartition('librdkafka', Buffer.from(key), 5, 17), partition, key);
  }
  assert.equal(pickPartition('librdkafka', Buffer.alloc(0), 22, 17), 5);
});

test('without a key: spread modulo the partitions, the same on every retry', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 2 ** 43 + 1].map((spread) => pickPartition('java', null, spread, 3)),
    [0, 1, 2, 0, (2 ** 43 + 1) % 3],
  );
});
