/** What every test of delivery ends with. Each failure names examples, so that the log is enough to go on. */
import assert from 'node:assert/strict';

const EXAMPLES_MAX = 5;

const show = (values: readonly unknown[]): string =>
  values.slice(0, EXAMPLES_MAX).map(String).join(', ') + (values.length > EXAMPLES_MAX ? ', ..' : '');

/** No value occurs twice. */
export function assertNoDuplicates(values: readonly (string | number | bigint)[], what = 'values'): void {
  const seen = new Set<string | number | bigint>();
  const doubled: (string | number | bigint)[] = [];
  for (const value of values) {
    if (seen.has(value)) doubled.push(value);
    seen.add(value);
  }
  assert.equal(doubled.length, 0, `${doubled.length} of ${values.length} ${what} duplicated: ${show(doubled)}`);
}

/** Exactly the ids first..first+count-1, each once, in any order. */
export function assertContiguousIds(ids: readonly (number | bigint)[], first: number | bigint, count: number): void {
  assertNoDuplicates(ids.map(BigInt), 'ids');
  const seen = new Set(ids.map(BigInt));
  const start = BigInt(first);
  const missing: bigint[] = [];
  for (let id = start; id < start + BigInt(count); id += 1n) {
    if (!seen.delete(id)) missing.push(id);
  }
  assert.equal(missing.length, 0, `${missing.length} of ${count} ids missing: ${show(missing)}`);
  assert.equal(seen.size, 0, `${seen.size} ids outside the range: ${show([...seen])}`);
}

/** Within each key, the sequence only rises. */
export function assertOrderPerKey<T>(
  items: readonly T[],
  keyOf: (item: T) => string | null,
  sequenceOf: (item: T) => number | bigint,
): void {
  const last = new Map<string, bigint>();
  const broken: string[] = [];
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) continue;
    const sequence = BigInt(sequenceOf(item));
    const before = last.get(key);
    if (before !== undefined && sequence <= before) broken.push(`${key}: ${sequence} after ${before}`);
    last.set(key, sequence);
  }
  assert.equal(broken.length, 0, `${broken.length} of ${items.length} out of order: ${show(broken)}`);
}
