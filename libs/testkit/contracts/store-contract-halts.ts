/** The store contract: a source that is halted, accepted, and what is kept of its table. */
import assert from 'node:assert/strict';
import { GapSet, type SourceAcceptance, type TableFacts } from '#outbox';
import { message, NO_CHANGES, type StoreCheck, startSource } from './store-contract-world.ts';

const FACTS: TableFacts = {
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'größe "x"', type: 'json' },
  ],
  mark: { data: { p0: '7@host/3306/1' }, definition: '1796103527@host', definitionStays: true, settled: false },
  sample: {
    columns: ['a', 'b'],
    rows: [
      { position: -3n, key: null, hashes: ['x1y2z3', '-'] },
      { position: 18_446_744_073_709_551_615n, key: 'abcdef', hashes: ['-', '-'] },
    ],
  },
  next: 9_007_199_254_740_993n,
};

const WHY = "column größe of source table t was dropped: it's \\ gone";

export function checkHalts(check: StoreCheck): void {
  checkHalting(check);
  checkAccepting(check);
}

function checkHalting(check: StoreCheck): void {
  check(
    'I8: a halt outlives the term, stops every writer, and is not for a leader of before to give',
    async (world) => {
      const { one, other } = world;
      const { epoch, append } = await startSource(world, 'orders', 1);
      const halt = { source: 'orders', cause: 'SOURCE_COLUMNS_GONE', why: WHY };
      const second = await other.writer.beginTerm('orders', 'other');
      assert.equal(await one.writer.haltSource({ ...halt, epoch }), false, 'fenced');
      assert.equal((await one.writer.loadWatermark('orders'))?.state, 'running');
      assert.equal(await other.writer.haltSource({ ...halt, epoch: second.epoch }), true);
      const halted = await one.writer.loadWatermark('orders');
      assert.deepEqual([halted?.state, halted?.cause, halted?.why], ['halted', halt.cause, WHY]);
      const later = await one.writer.beginTerm('orders', 'one');
      assert.deepEqual([later.state, later.epoch, later.leader], ['halted', halted?.epoch, 'other']);
      assert.equal(await append([message(0, 1)]), 'fenced');
      const request = { source: 'orders', expectedNextSequence: 1, messages: [message(0, 1)] };
      const next = { position: 1n, gaps: NO_CHANGES, nextSequence: 2 };
      assert.equal(await other.writer.append({ ...request, next, epoch: second.epoch }), 'fenced');
      assert.equal(await other.writer.haltSource({ ...halt, epoch: later.epoch, why: 'again' }), false);
      assert.equal(await other.writer.noteTableFacts('orders', later.epoch, FACTS), false);
    },
  );
}

function checkAccepting(check: StoreCheck): void {
  check('I8: what an operator accepts goes on from there once, and fences whoever was there before', async (world) => {
    const { one, other } = world;
    const { epoch, append } = await startSource(world, 'orders', 1);
    await append([message(0, 1), message(0, 2)]);
    await one.writer.haltSource({ source: 'orders', epoch, cause: 'SOURCE_WENT_BACK', why: WHY });
    const halted = await other.writer.loadWatermark('orders');
    const [page] = GapSet.of([{ from: 5n, to: 6n }], 0).pages;
    assert.ok(page);
    const acceptance: SourceAcceptance = {
      source: 'orders',
      epoch: halted?.epoch ?? -1,
      position: 0n,
      gaps: { put: [page], drop: [] },
      incarnations: [{ number: 2, after: 0n }],
      facts: FACTS,
    };
    assert.equal(await one.writer.acceptSource({ ...acceptance, epoch }), false, 'not as it was seen');
    assert.equal((await one.writer.loadWatermark('orders'))?.state, 'halted');
    assert.equal(await other.writer.acceptSource(acceptance), true);
    assert.equal(await other.writer.acceptSource(acceptance), false, 'once');
    const state = await one.writer.loadWatermark('orders');
    assert.deepEqual(state, {
      source: 'orders',
      position: 0n,
      nextSequence: 3,
      epoch: acceptance.epoch + 1,
      leader: null,
      state: 'running',
      cause: null,
      why: null,
      incarnations: acceptance.incarnations,
    });
    assert.deepEqual(await one.writer.loadTableFacts('orders'), FACTS);
    const [stored] = await one.writer.loadGaps('orders');
    assert.deepEqual([stored?.first, stored?.last], [5n, 6n]);
    assert.equal(await append([message(0, 3)]), 'fenced', 'a paused leader of before');
  });

  check('what was seen of a table is kept as it was, for its leader only', async (world) => {
    const { one, other } = world;
    assert.equal(await one.writer.loadTableFacts('orders'), null);
    const { epoch } = await startSource(world, 'orders', 1);
    assert.equal(await one.writer.noteTableFacts('orders', epoch, FACTS), true);
    assert.deepEqual(await other.writer.loadTableFacts('orders'), FACTS);
    const none = { columns: null, mark: null, sample: null, next: null };
    assert.equal(await one.writer.noteTableFacts('orders', epoch, none), true);
    assert.deepEqual(await other.writer.loadTableFacts('orders'), none);
    await other.writer.beginTerm('orders', 'other');
    assert.equal(await one.writer.noteTableFacts('orders', epoch, FACTS), false);
    assert.deepEqual(await other.writer.loadTableFacts('orders'), none);
  });
}
