/** Which records are cut, and how: as little as needed, in order, the same group for each attempt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createJoiner, type MessageHeaders, readChunkPlace } from '#chunking';
import { createBatchBounds } from './batch-bounds.ts';
import { planDelivery } from './plan-delivery.ts';

const limits = { of: (topic: string) => (topic === 'small' ? 20_000 : null) };
const leaders = new Map([
  ['small', [1, 1, 1]],
  ['large', [1]],
]);
const record = (id: string, bytes: number, topic = 'small', key: Buffer | null = Buffer.from('k')) => ({
  topic,
  key,
  value: Buffer.alloc(bytes, id),
  headers: { id, source: 's', 'outbox-id': id },
  spread: 5,
});

const planned = (records: Parameters<typeof planDelivery>[0]) =>
  [...planDelivery(records, leaders, 'java', limits).flowsByLeader.values()].flat();

test('a record that is too large goes in chunks, in its place, to its partition', () => {
  const flows = planned([record('1', 10), record('2', 50_000), record('3', 10), record('4', 50_000, 'large')]);
  assert.equal(flows.length, 2);
  const joiner = createJoiner({ clock: { nowMs: () => 0 } });
  const joined = (flows[0]?.records ?? []).flatMap(({ key, value, headers }, offset) => {
    assert.ok((value?.length ?? 0) < 20_000);
    const read = { topic: 't', partition: 0, offset: BigInt(offset), key, value, headers: headers as MessageHeaders };
    return joiner.accept(read).flatMap((outcome) => (outcome.kind === 'message' ? [outcome.message] : []));
  });
  assert.deepEqual(joined.map(({ value, headers }) => [headers.id, value?.length]), [['1', 10], ['2', 50_000], ['3', 10]]); // biome-ignore format: pairs
  assert.deepEqual(flows[1]?.records.length, 1);
});

test('without a key all chunks go where the record would have gone, and again the same group', () => {
  const [first] = planned([record('9', 50_000, 'small', null)]);
  const [again] = planned([record('9', 50_000, 'small', null)]);
  assert.equal(first?.partition, planned([record('9', 10, 'small', null)])[0]?.partition);
  const groups = [first, again].map((flow) => readChunkPlace((flow?.records[0]?.headers ?? {}) as MessageHeaders));
  assert.deepEqual(groups[0], groups[1]);
});

test('a limit that was assumed is halved by a refusal, one that was asked for is forgotten', () => {
  const bounds = createBatchBounds(900_000);
  bounds.learn('assumed', 1_048_588, true);
  bounds.learn('asked', 20_000, false);
  assert.deepEqual([bounds.recordMax('assumed'), bounds.of('assumed')], [1_048_488, 900_000]);
  assert.deepEqual([bounds.recordMax('asked'), bounds.of('asked')], [19_900, 19_900]);
  bounds.recordTooLarge('assumed', 1_000_000);
  bounds.recordTooLarge('asked', 30_000);
  assert.deepEqual([bounds.recordMax('assumed'), bounds.recordMax('asked')], [499_900, null]);
});
