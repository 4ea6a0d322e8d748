/** The compact structures against the obvious ones, over positions dense, sparse, negative and beyond 2^53. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LastIds } from './last-ids.ts';
import { PositionSet } from './position-set.ts';

/** A small generator with a fixed seed, so that a failure repeats. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

test('a position set agrees with a Set', () => {
  const random = generator(7);
  const subject = new PositionSet();
  const plain = new Set<bigint>();
  const bases = [0n, 5_000_000n, 2n ** 53n, 2n ** 64n - 200_000n, -70_000n];
  for (let round = 0; round < 60_000; round += 1) {
    const base = bases[round % bases.length] as bigint;
    const span = round % 3 === 0 ? 100_000 : 9_000;
    const position = base + BigInt(Math.floor(random() * span));
    const added = round % 2 === 0 ? subject.add(position) : subject.addText(String(position));
    assert.equal(added, !plain.has(position), String(position));
    plain.add(position);
  }
  assert.equal(subject.size, plain.size);
  for (const base of bases) {
    for (let near = -10n; near < 20_000n; near += 7n) {
      assert.equal(subject.has(base + near), plain.has(base + near), String(base + near));
    }
  }
});

test('a dense million takes about a bit each', () => {
  const subject = new PositionSet();
  const before = process.memoryUsage().arrayBuffers;
  for (let position = 1n; position <= 1_000_000n; position += 1n) assert.equal(subject.add(position), true);
  assert.equal(subject.size, 1_000_000);
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 1_000_000, `${grown} bytes`);
});

test('the last ids agree with a Map over partitions and growth', () => {
  const random = generator(11);
  const subject = new LastIds();
  const plain = new Map<string, number>();
  for (let round = 0; round < 100_000; round += 1) {
    const partition = 1 + Math.floor(random() * 5);
    const key = `key-${Math.floor(random() * 10_000)}`;
    const id = 1 + Math.floor(random() * 2 ** 40);
    const name = `${partition}/${key}`;
    const before = plain.get(name) ?? 0;
    assert.equal(subject.raise(partition, Buffer.from(key), id), before);
    plain.set(name, Math.max(before, id));
  }
  assert.equal(subject.size, plain.size);
});

test('short and similar keys do not fall together', () => {
  const subject = new LastIds();
  for (let partition = 1; partition <= 8; partition += 1) {
    for (let key = 0; key < 65_536; key += 1) {
      assert.equal(subject.raise(partition, Buffer.from([key >> 8, key & 255]), 1), 0);
    }
  }
  assert.equal(subject.size, 8 * 65_536);
  assert.equal(subject.raise(1, Buffer.alloc(0), 5), 0);
  assert.equal(subject.raise(1, Buffer.alloc(0), 4), 5);
});
