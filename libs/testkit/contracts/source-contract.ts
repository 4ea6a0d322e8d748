/** What every SourceReader must do, run on the fake and on real tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchLimits, PositionRange, SourceBatch, SourceReader } from '#outbox';

export interface ContractRow {
  readonly key: string | null;
  readonly body: string;
}

export interface SourceTransaction {
  /** One INSERT; resolves to the ids of the rows, in order. */
  insert(rows: readonly ContractRow[]): Promise<readonly bigint[]>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** A fresh, empty source table (id, k, body) whose key column is k, and its reader in gap mode `locks`. */
export interface SourceWorld {
  /** Name `contract`, topic `events`. */
  readonly reader: SourceReader;
  begin(): Promise<SourceTransaction>;
  close(): Promise<void>;
}

export interface SourceHarness {
  readonly name: string;
  /** Transactions that write take turns (SQLite), so that none is ever late. */
  readonly oneWriter?: boolean;
  open(): Promise<SourceWorld>;
}

const WIDE: BatchLimits = { rowsMax: 100_000, bytesMax: 64_000_000 };
const BULK_ROWS = 20_000;

const numbered = (count: number): ContractRow[] =>
  Array.from({ length: count }, (_, index) => ({ key: `key-${index % 7}`, body: `row ${index}` }));

const positions = (batch: SourceBatch): bigint[] => batch.rows.map((row) => row.position);

async function insertCommitted(world: SourceWorld, rows: readonly ContractRow[]): Promise<readonly bigint[]> {
  const transaction = await world.begin();
  const ids = await transaction.insert(rows);
  await transaction.commit();
  return ids;
}

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
  if (harness.oneWriter) {
    checkOneWriter(check);
    return;
  }
  checkGaps(check);
  checkManyGaps(check);
}

type Check = (title: string, body: (world: SourceWorld) => Promise<void>) => void;

function checkReading(check: Check): void {
  check('an empty table has nothing to read and no position', async ({ reader }) => {
    assert.deepEqual(await reader.readAfter(0n, WIDE), { rows: [], full: false });
    assert.deepEqual(await reader.readRanges([{ from: 1n, to: 9n }], WIDE), { rows: [], full: false });
    assert.equal(await reader.highestPosition(), null);
    assert.deepEqual(await reader.positionsIn({ from: 1n, to: 9n }, 10), []);
    assert.equal(await reader.probe({ from: 1n, to: 9n }), 'empty');
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
    const all = await world.reader.readRanges(ranges, WIDE);
    assert.deepEqual([positions(all), all.full], [even, false]);
    const cut = await world.reader.readRanges(ranges, { rowsMax: 450, bytesMax: WIDE.bytesMax });
    assert.deepEqual([positions(cut), cut.full], [even.slice(0, 450), true]);
    const sizes = all.rows.map((row) => (row.value?.length ?? 0) + (row.key?.length ?? 0));
    const bytesMax = sizes.slice(0, 401).reduce((sum, size) => sum + size, 0) - 1;
    const bytes = await world.reader.readRanges(ranges, { rowsMax: 10_000, bytesMax });
    assert.deepEqual([positions(bytes), bytes.full], [even.slice(0, 400), true]);
    assert.deepEqual(await world.reader.readRanges([], WIDE), { rows: [], full: false });
  });

  check('positionsIn is bounded and ascending', async (world) => {
    const ids = await insertCommitted(world, numbered(20));
    const range = { from: ids[3] as bigint, to: ids[15] as bigint };
    assert.deepEqual(await world.reader.positionsIn(range, 100), ids.slice(3, 16));
    assert.deepEqual(await world.reader.positionsIn(range, 5), ids.slice(3, 8));
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
    assert.equal(await world.reader.probe({ from: first as bigint, to: ids[1] as bigint }), 'rows');
    assert.equal(await world.reader.probe({ from: (ids[1] as bigint) + 1n, to: (ids[1] as bigint) + 9n }), 'empty');
  });
}

function checkGaps(check: Check): void {
  check('I1: a late commit is locked while open, and rows once committed', async (world) => {
    const [late, prompt] = [await world.begin(), await world.begin()];
    const [lateId] = (await late.insert(numbered(1))) as [bigint];
    const [promptId] = (await prompt.insert(numbered(1))) as [bigint];
    await prompt.commit();
    assert.deepEqual(positions(await world.reader.readAfter(0n, WIDE)), [promptId]);
    const gap = { from: lateId, to: lateId };
    assert.equal(await world.reader.probe(gap), 'locked');
    await late.commit();
    assert.equal(await world.reader.probe(gap), 'rows');
    assert.deepEqual(positions(await world.reader.readRanges([gap], WIDE)), [lateId]);
  });

  check('I1: a rollback is locked while open, and empty afterwards', async (world) => {
    const transaction = await world.begin();
    const ids = await transaction.insert(numbered(3));
    await insertCommitted(world, numbered(1));
    const gap = { from: ids[0] as bigint, to: ids[2] as bigint };
    assert.equal(await world.reader.probe(gap), 'locked');
    await transaction.rollback();
    assert.equal(await world.reader.probe(gap), 'empty');
  });

  check('I1: one open row at the end of a range of rolled back ids is enough for locked', async (world) => {
    const [gone, open] = [await world.begin(), await world.begin()];
    const goneIds = await gone.insert(numbered(50));
    const openIds = await open.insert(numbered(1));
    await gone.rollback();
    await insertCommitted(world, numbered(1));
    assert.equal(await world.reader.probe({ from: goneIds[0] as bigint, to: openIds[0] as bigint }), 'locked');
    await open.rollback();
    assert.equal(await world.reader.probe({ from: goneIds[0] as bigint, to: openIds[0] as bigint }), 'empty');
  });

  check('I1: interleaved inserts of two transactions show as they commit', async (world) => {
    const [first, second] = [await world.begin(), await world.begin()];
    const ids: bigint[] = [];
    for (let round = 0; round < 5; round += 1) {
      ids.push(...(await first.insert(numbered(1))), ...(await second.insert(numbered(1))));
    }
    await second.commit();
    const odd = ids.filter((_, index) => index % 2 === 1);
    assert.deepEqual(positions(await world.reader.readAfter(0n, WIDE)), odd);
    await first.commit();
    assert.deepEqual(positions(await world.reader.readAfter(0n, WIDE)), ids);
  });

  check('I1: a bulk insert in flight is locked, and comes through whole', async (world) => {
    const bulk = await world.begin();
    const ids = await bulk.insert(numbered(BULK_ROWS));
    const range = { from: ids[0] as bigint, to: ids[BULK_ROWS - 1] as bigint };
    await insertCommitted(world, numbered(1));
    assert.equal(await world.reader.probe(range), 'locked');
    assert.equal(await world.reader.probe({ from: range.to, to: range.to }), 'locked');
    await bulk.commit();
    const read: bigint[] = [];
    for (let after = 0n; ; after = read.at(-1) as bigint) {
      const batch = await world.reader.readRanges([{ from: after + 1n, to: range.to }], {
        rowsMax: 3000,
        bytesMax: WIDE.bytesMax,
      });
      read.push(...positions(batch));
      if (!batch.full) break;
    }
    assert.deepEqual(read, ids);
  });
}

function checkManyGaps(check: Check): void {
  check('I1: several ranges are probed together: empty only when all are', async (world) => {
    const [gone, open, late] = [await world.begin(), await world.begin(), await world.begin()];
    const ids: bigint[] = [];
    for (const transaction of [gone, open, gone, late]) {
      ids.push(...(await transaction.insert(numbered(2))));
      await insertCommitted(world, numbered(1));
    }
    const gaps = [0, 2, 4, 6].map((at) => ({ from: ids[at] as bigint, to: ids[at + 1] as bigint }));
    const [first, second, third, fourth] = gaps as [PositionRange, PositionRange, PositionRange, PositionRange];
    await gone.rollback();
    assert.equal(await world.reader.probe(first, third), 'empty');
    assert.equal(await world.reader.probe(first, second, third), 'locked');
    await open.rollback();
    await late.commit();
    assert.equal(await world.reader.probe(first, second, third), 'empty');
    assert.equal(await world.reader.probe(...gaps), 'rows');
    assert.equal(await world.reader.probe(fourth), 'rows');
  });
}
