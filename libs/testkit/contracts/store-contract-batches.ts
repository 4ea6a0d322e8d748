/** The store contract: reading batches and deleting behind them. */
import assert from 'node:assert/strict';
import { laneFloor, type OutboxMessage, outboxId } from '#outbox';
import { message, type StoreCheck, type StoreWorld, startSource } from './store-contract-world.ts';

const WIDE = { rowsMax: 100_000, bytesMax: 64_000_000 };

const inLane = (lane: number, from: number, count: number, more: Partial<OutboxMessage> = {}) =>
  Array.from({ length: count }, (_, index) => message(lane, from + index, more));

async function sequencesLeft(world: StoreWorld, lane: number): Promise<number[]> {
  const cursors = [{ lane, cursor: laneFloor(lane), rowsMax: WIDE.rowsMax }];
  const [batch] = await world.other.sender.readBatches(cursors, WIDE);
  return (batch?.rows ?? []).map(({ id }) => id - laneFloor(lane));
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

export function checkBatches(check: StoreCheck): void {
  checkReading(check);
  checkReadingAlong(check);
  checkLimits(check);
  checkDeleting(check);
}

function checkReading(check: StoreCheck): void {
  check('rows come back as they were, whatever bytes they hold', async (world) => {
    const { append } = await startSource(world, 'orders', 1);
    const every = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    const written = [
      message(0, 1, { key: null, value: null, headers: null }),
      message(0, 2, { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: {} }),
      message(0, 3, { key: every, value: every, headers: { 'trace id': 'ä"\\\n😀', empty: '' } }),
      message(0, 4, { eventId: "o'rders:`4`\\", topic: 'Zürich.😀', value: Buffer.from('{"text":"a\'b\\\\c\\"d😀"}') }),
      message(0, 5, { value: Buffer.alloc(300_000, 0xff), topic: 'orders ' }),
      message(0, 6, { key: Buffer.alloc(5_000, 'k'), topic: 'orders' }),
      message(0, 7),
    ];
    await append(written);
    const [batch] = await world.other.sender.readBatches([{ lane: 0, cursor: laneFloor(0), rowsMax: 100 }], WIDE);
    assert.deepEqual(
      batch?.rows.map(({ size: _size, ...row }) => row),
      written,
    );
    const sizes = written.map(
      ({ key, value, headers }) =>
        (key?.length ?? 0) + (value?.length ?? 0) + (headers === null ? 0 : Buffer.byteLength(JSON.stringify(headers))),
    );
    assert.deepEqual(
      batch?.rows.map(({ size }) => size),
      sizes,
    );
  });

  check('I3: each lane is read past its cursor, in id order, and never into the next lane', async (world) => {
    const { append, lanes } = await startSource(world, 'orders', 3);
    await append([...inLane(0, 1, 5), ...inLane(2, 6, 5), ...inLane(1, 11, 5)]);
    assert.deepEqual(lanes, [0, 1, 2]);
    const batches = await world.other.sender.readBatches(
      [
        { lane: 2, cursor: outboxId(2, 7), rowsMax: 100 },
        { lane: 0, cursor: laneFloor(0), rowsMax: 100 },
        { lane: 1, cursor: outboxId(1, 15), rowsMax: 100 },
      ],
      WIDE,
    );
    assert.deepEqual(
      batches.map(({ lane, rows, full }) => [lane, rows.map(({ id }) => id - laneFloor(lane)), full]),
      [
        [2, [8, 9, 10], false],
        [0, [1, 2, 3, 4, 5], false],
        [1, [], false],
      ],
    );
    assert.deepEqual(await world.other.sender.readBatches([], WIDE), []);
  });
}

function checkReadingAlong(check: StoreCheck): void {
  check('what is read is what is committed: a batch never has a hole', async (world) => {
    const { append } = await startSource(world, 'orders', 1);
    let done = false;
    const writing = (async () => {
      for (let first = 1; first <= 1_000; first += 20) await append(inLane(0, first, 20));
      done = true;
    })();
    let seen = 0;
    for (let reads = 0; reads < 100_000 && (!done || seen < 1_000); reads += 1) {
      const cursors = [{ lane: 0, cursor: laneFloor(0) + seen, rowsMax: 500 }];
      const [batch] = await world.other.sender.readBatches(cursors, WIDE);
      for (const { id } of batch?.rows ?? []) {
        seen += 1;
        assert.equal(id, outboxId(0, seen));
      }
    }
    await writing;
    assert.equal(seen, 1_000);
  });
}

function checkLimits(check: StoreCheck): void {
  check('rows are limited per lane and over all lanes, and a lane that was cut says so', async (world) => {
    const { append } = await startSource(world, 'orders', 2);
    await append([...inLane(0, 1, 50), ...inLane(1, 51, 50)]);
    const cursor = (lane: number, rowsMax: number) => ({ lane, cursor: laneFloor(lane), rowsMax });
    const [few, many] = await world.other.sender.readBatches([cursor(0, 3), cursor(1, 100)], WIDE);
    assert.deepEqual([few?.rows.length, few?.full], [3, true]);
    assert.ok(many !== undefined && (many.full ? many.rows.length > 0 : many.rows.length === 50));
    const both = await world.other.sender.readBatches([cursor(0, 100), cursor(1, 100)], { ...WIDE, rowsMax: 10 });
    const total = both.reduce((sum, { rows }) => sum + rows.length, 0);
    assert.ok(total > 0 && total <= 10, `${total} rows`);
    assert.ok(both.some(({ full }) => full));
  });

  check(
    'bytes are limited over all lanes, the first row always fits, and the rest comes with the next reads',
    async (world) => {
      const { append } = await startSource(world, 'orders', 2);
      const big = { key: null, value: Buffer.alloc(10_000, 'x') };
      await append([...inLane(0, 1, 30, big), ...inLane(1, 31, 30, big)]);
      const limits = { rowsMax: 1_000, bytesMax: 45_000 };
      const read = new Map([
        [0, laneFloor(0)],
        [1, laneFloor(1)],
      ]);
      const seen: number[] = [];
      for (let reads = 0; reads < 100; reads += 1) {
        const lanes = reads % 2 === 0 ? [0, 1] : [1, 0];
        const cursors = lanes.map((lane) => ({ lane, cursor: read.get(lane) as number, rowsMax: 1_000 }));
        const batches = await world.other.sender.readBatches(cursors, limits);
        const rows = batches.flatMap((batch) => batch.rows);
        assert.ok(rows.reduce((sum, { size }) => sum + size, 0) <= limits.bytesMax);
        for (const { lane, rows: laneRows } of batches)
          read.set(lane, laneRows.at(-1)?.id ?? (read.get(lane) as number));
        seen.push(...rows.map(({ id }) => id));
        if (batches.every(({ full }) => !full)) break;
      }
      assert.equal(new Set(seen).size, 60);
      assert.equal(seen.length, 60);
      const tiny = await world.other.sender.readBatches([{ lane: 0, cursor: laneFloor(0), rowsMax: 9 }], {
        rowsMax: 9,
        bytesMax: 1,
      });
      assert.deepEqual([tiny[0]?.rows.length, tiny[0]?.full], [1, true]);
    },
  );

  check('a lane that was quiet is read in full once it has rows', async (world) => {
    const { append } = await startSource(world, 'orders', 4);
    let cursors = [0, 1, 2, 3].map((lane) => ({ lane, cursor: laneFloor(lane), rowsMax: 200 }));
    for (let reads = 0; reads < 3; reads += 1) await world.other.sender.readBatches(cursors, { ...WIDE, rowsMax: 200 });
    await append(inLane(3, 1, 150));
    let seen = 0;
    for (let reads = 0; reads < 50 && seen < 150; reads += 1) {
      const batches = await world.other.sender.readBatches(cursors, { ...WIDE, rowsMax: 200 });
      seen += batches.reduce((sum, { rows }) => sum + rows.length, 0);
      assert.ok(seen === 150 || batches[3]?.full, 'a lane with rows left says that it was cut');
      cursors = cursors.map((each, index) => ({ ...each, cursor: batches[index]?.rows.at(-1)?.id ?? each.cursor }));
    }
    assert.equal(seen, 150);
  });
}

function checkDeleting(check: StoreCheck): void {
  check('I6: only ids up to the one given are deleted, in ranges, and delivered_id follows', async (world) => {
    const { append } = await startSource(world, 'orders', 2);
    await append([...inLane(0, 1, 25), ...inLane(1, 26, 5)]);
    const { sender } = world.one;
    const deliveredId = async () => (await sender.listLanes())[0]?.deliveredId;
    assert.equal(await deliveredId(), null);
    assert.equal(await sender.deleteDelivered(0, laneFloor(0), outboxId(0, 20), 10), outboxId(0, 10));
    assert.equal(await deliveredId(), outboxId(0, 10));
    assert.deepEqual(await sequencesLeft(world, 0), numbers(11, 25));
    assert.equal(await sender.deleteDelivered(0, outboxId(0, 10), outboxId(0, 20), 1_000), outboxId(0, 20));
    assert.equal(await sender.deleteDelivered(0, outboxId(0, 20), outboxId(0, 20), 1_000), outboxId(0, 20));
    assert.deepEqual(await sequencesLeft(world, 0), numbers(21, 25));
    assert.deepEqual(await sequencesLeft(world, 1), numbers(26, 30));
    assert.equal((await sender.listLanes())[1]?.deliveredId, null);
  });

  check('delivered_id never goes back', async (world) => {
    const { append } = await startSource(world, 'orders', 1);
    await append(inLane(0, 1, 10));
    const { sender } = world.one;
    await sender.deleteDelivered(0, laneFloor(0), outboxId(0, 8), 100);
    await world.other.sender.deleteDelivered(0, laneFloor(0), outboxId(0, 3), 100);
    assert.equal((await sender.listLanes())[0]?.deliveredId, outboxId(0, 8));
    assert.deepEqual(await sequencesLeft(world, 0), [9, 10]);
  });

  check('I8: a range outside the lane is refused', async (world) => {
    const { append } = await startSource(world, 'orders', 2);
    await append(inLane(1, 1, 3));
    await assert.rejects(world.one.sender.deleteDelivered(0, laneFloor(0), outboxId(1, 3), 100), {
      code: 'INVARIANT_BROKEN',
    });
    assert.deepEqual(await sequencesLeft(world, 1), [1, 2, 3]);
  });

  check('the next sequence of a lane is its source’s', async (world) => {
    const { append } = await startSource(world, 'orders', 2);
    await append(inLane(1, 1, 7));
    assert.equal(await world.one.sender.nextSequenceOf(0), 8);
    await assert.rejects(world.one.sender.nextSequenceOf(5), { code: 'INVARIANT_BROKEN' });
  });
}
