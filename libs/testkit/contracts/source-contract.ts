/** What every SourceReader must do, run on the fake and on real tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOpenTransactions } from './source-contract-gaps.ts';
import {
  type Check,
  insertCommitted,
  numbered,
  positions,
  readRanges,
  type SourceHarness,
  type SourceWorld,
  WIDE,
} from './source-world.ts';

/** Registers the tests. */
export function sourceContract(harness: SourceHarness): void {
  const check = (title: string, body: (world: SourceWorld) => Promise<void>) =>
    test(`${harness.name}: ${title}`, async () => {
      const world = await harness.open();
      try {
        await body(world);
      } finally {
        await world.close();
      }
    });
  checkReading(check);
  checkLimits(check);
  checkCombs(check);
  if (harness.oneWriter) {
    checkOneWriter(check);
    return;
  }
  checkOpenTransactions(check);
}

function checkReading(check: Check): void {
  check('an empty table has nothing to read and no position', async ({ reader }) => {
    assert.deepEqual(await reader.readAfter(0n, WIDE), { rows: [], full: false });
    assert.deepEqual(await readRanges(reader, [{ from: 1n, to: 9n }], WIDE), { rows: [], full: false });
    assert.equal(await reader.highestPosition(), null);
    assert.deepEqual(await reader.committedIn([{ from: 1n, to: 9n }], 10), []);
  });

  check('a row becomes a message with position, event id, topic, key and JSON value', async (world) => {
    const ids = await insertCommitted(world, [
      { key: 'a', body: 'plain' },
      { key: null, body: 'quote " backslash \\ line\nemoji \u{1f426}' },
      { key: '', body: '' },
    ]);
    const { rows, full } = await world.reader.readAfter(0n, WIDE);
    assert.equal(full, false);
    assert.deepEqual(
      rows.map((row) => [row.position, row.eventId, row.topic, row.key?.toString() ?? null, row.headers]),
      [
        [ids[0], `contract:${ids[0]}`, 'events', 'a', null],
        [ids[1], `contract:${ids[1]}`, 'events', null, null],
        [ids[2], `contract:${ids[2]}`, 'events', '', null],
      ],
    );
    assert.deepEqual(
      rows.map((row) => row.value?.toString()),
      [
        `{"id":${ids[0]},"k":"a","body":"plain"}`,
        `{"id":${ids[1]},"k":null,"body":"quote \\" backslash \\\\ line\\nemoji \u{1f426}"}`,
        `{"id":${ids[2]},"k":"","body":""}`,
      ],
    );
  });

  check('reads go on after a position, ascending, and the highest position is the last committed', async (world) => {
    const ids = await insertCommitted(world, numbered(30));
    assert.deepEqual(positions(await world.reader.readAfter(ids[9] as bigint, WIDE)), ids.slice(10));
    assert.equal(await world.reader.highestPosition(), ids[29]);
    const open = await world.begin();
    await open.insert(numbered(1));
    assert.equal(await world.reader.highestPosition(), ids[29], 'an open transaction does not show');
    await open.rollback();
  });
}

function checkLimits(check: Check): void {
  check('rowsMax cuts, and only then is the batch full', async (world) => {
    const ids = await insertCommitted(world, numbered(10));
    const cut = await world.reader.readAfter(0n, { rowsMax: 9, bytesMax: WIDE.bytesMax });
    assert.deepEqual([positions(cut), cut.full], [ids.slice(0, 9), true]);
    const exact = await world.reader.readAfter(0n, { rowsMax: 10, bytesMax: WIDE.bytesMax });
    assert.deepEqual([positions(exact), exact.full], [ids.slice(), false]);
  });

  check('bytesMax cuts, but the first row always fits', async (world) => {
    const ids = await insertCommitted(
      world,
      Array.from({ length: 6 }, () => ({ key: 'k', body: 'x'.repeat(1000) })),
    );
    const tiny = await world.reader.readAfter(0n, { rowsMax: 100, bytesMax: 1 });
    assert.deepEqual([positions(tiny), tiny.full], [ids.slice(0, 1), true]);
    const three = await world.reader.readAfter(0n, { rowsMax: 100, bytesMax: 3200 });
    assert.deepEqual([positions(three), three.full], [ids.slice(0, 3), true]);
    const rest = await world.reader.readAfter(ids[2] as bigint, { rowsMax: 100, bytesMax: 3200 });
    assert.deepEqual([positions(rest), rest.full], [ids.slice(3), false]);
  });

  check('many ranges come back in one ascending batch, within the limits', async (world) => {
    const ids = await insertCommitted(world, numbered(1200));
    const even = ids.filter((_, index) => index % 2 === 0);
    const ranges = even.map((id) => ({ from: id, to: id }));
    const all = await readRanges(world.reader, ranges, WIDE);
    assert.deepEqual([positions(all), all.full], [even, false]);
    const cut = await readRanges(world.reader, ranges, { rowsMax: 450, bytesMax: WIDE.bytesMax });
    assert.deepEqual([positions(cut), cut.full], [even.slice(0, 450), true]);
    const sizes = all.rows.map((row) => (row.value?.length ?? 0) + (row.key?.length ?? 0));
    const bytesMax = sizes.slice(0, 401).reduce((sum, size) => sum + size, 0) - 1;
    const bytes = await readRanges(world.reader, ranges, { rowsMax: 10_000, bytesMax });
    assert.deepEqual([positions(bytes), bytes.full], [even.slice(0, 400), true]);
    assert.deepEqual(await readRanges(world.reader, [], WIDE), { rows: [], full: false });
  });

  check('committedIn is bounded and ascending', async (world) => {
    const ids = await insertCommitted(world, numbered(20));
    const range = { from: ids[3] as bigint, to: ids[15] as bigint };
    assert.deepEqual(await world.reader.committedIn([range], 100), ids.slice(3, 16));
    assert.deepEqual(await world.reader.committedIn([range], 5), ids.slice(3, 8));
  });
}

function checkOneWriter(check: Check): void {
  check('I1: ids commit in the order in which they were given out, and a rollback leaves no gap', async (world) => {
    const [first] = await insertCommitted(world, numbered(1));
    const gone = await world.begin();
    await gone.insert(numbered(3));
    assert.deepEqual(positions(await world.reader.readAfter(first as bigint, WIDE)), []);
    await gone.rollback();
    const ids = await insertCommitted(world, numbered(2));
    assert.equal(ids[0], (first as bigint) + 1n);
    assert.deepEqual(positions(await world.reader.readAfter(first as bigint, WIDE)), ids);
  });
}

function checkCombs(check: Check): void {
  check('I1: a comb of gaps is read as its teeth, and nothing between them', async (world) => {
    const ids = await insertCommitted(world, numbered(60));
    const [from, last] = [ids[0] as bigint, ids[59] as bigint];
    for (const [period, width] of [
      [3n, 1n],
      [7n, 2n],
      [20n, 20n - 1n],
    ] as const) {
      const teeth = (last - from + 1n) / period;
      const to = from + (teeth - 1n) * period + width - 1n;
      const wanted = ids.filter((id) => id <= to && (id - from) % period < width);
      const range = { from, to, comb: { period, width } };
      assert.deepEqual(positions(await readRanges(world.reader, [range], WIDE)), wanted);
      assert.deepEqual(await world.reader.committedIn([range], 1_000), wanted);
    }
  });
}
