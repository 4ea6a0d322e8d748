/** What every outbox store must do, run on the fake and on a real database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outboxId } from '#outbox';
import { checkAside } from './store-contract-aside.ts';
import { checkBatches } from './store-contract-batches.ts';
import { checkGapPages } from './store-contract-gaps.ts';
import { checkHalts } from './store-contract-halts.ts';
import { checkLanes } from './store-contract-lanes.ts';
import {
  message,
  NO_CHANGES,
  RUNNING,
  START,
  type StoreCheck,
  type StoreHarness,
  startSource,
} from './store-contract-world.ts';

/** Registers the tests. */
export function storeContract(harness: StoreHarness): void {
  const check: StoreCheck = (title, body) =>
    test(`${harness.name}: ${title}`, async () => {
      const world = await harness.open();
      try {
        await body(world);
      } finally {
        await world.close();
      }
    });
  checkRegistering(check);
  checkAppending(check);
  checkBatchSizes(check);
  checkBatches(check);
  checkLanes(check);
  checkAside(check);
  checkGapPages(check);
  checkTopics(check);
  checkHalts(check);
}

function checkRegistering(check: StoreCheck): void {
  check('a source is registered once, with its first position, gaps and lanes', async ({ one, other }) => {
    assert.equal(await one.writer.loadWatermark('orders'), null);
    assert.deepEqual(await one.writer.lanesOf('orders'), []);
    const request = {
      source: 'orders',
      position: 18_446_744_073_709_551_615n,
      gaps: [],
      lanes: 3,
    };
    assert.deepEqual(await one.writer.registerSource(request), [0, 1, 2]);
    assert.deepEqual(await other.writer.registerSource({ ...request, ...START, lanes: 8 }), [0, 1, 2]);
    assert.deepEqual(await other.writer.loadWatermark('orders'), {
      source: 'orders',
      position: request.position,
      nextSequence: 1,
      epoch: 0,
      leader: null,
      ...RUNNING,
    });
  });

  check('names that differ only in case are two sources', async ({ one }) => {
    assert.deepEqual(await one.writer.registerSource({ source: 'orders', ...START, lanes: 1 }), [0]);
    assert.deepEqual(await one.writer.registerSource({ source: 'Orders', ...START, lanes: 1 }), [1]);
  });

  check('two writers that register at once never share a lane', async ({ one, other }) => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const both = await Promise.all(
      names.flatMap((source) =>
        [one, other].map(({ writer }) => writer.registerSource({ source, ...START, lanes: 4 })),
      ),
    );
    const first = both.filter((_, index) => index % 2 === 0);
    assert.deepEqual(
      both.filter((_, index) => index % 2 === 1),
      first,
    );
    const lanes = first.flat();
    assert.equal(new Set(lanes).size, 4 * names.length);
    const rows = await one.sender.listLanes();
    assert.deepEqual(
      rows.map(({ lane }) => lane),
      [...lanes].sort((a, b) => a - b),
    );
    for (const [index, source] of names.entries()) {
      assert.deepEqual(await other.writer.lanesOf(source), first[index]);
    }
  });

  check('lanes past the last one are refused, and nothing is registered', async ({ one }) => {
    await one.writer.registerSource({ source: 'many', ...START, lanes: 1_000 });
    await assert.rejects(one.writer.registerSource({ source: 'more', ...START, lanes: 25 }), {
      code: 'CONFIG_INVALID',
    });
    assert.equal(await one.writer.loadWatermark('more'), null);
    assert.equal((await one.writer.registerSource({ source: 'more', ...START, lanes: 24 })).at(-1), 1_023);
  });
}

function checkAppending(check: StoreCheck): void {
  check('I2: of two writers of one source only the one with the last term commits', async (world) => {
    const { one, other } = world;
    const { epoch } = await startSource(world, 'orders', 1);
    const second = await other.writer.beginTerm('orders', 'other');
    assert.deepEqual([second.epoch, second.leader, second.nextSequence], [epoch + 1, 'other', 1]);
    const request = {
      source: 'orders',
      expectedNextSequence: 1,
      next: { position: 5n, gaps: NO_CHANGES, nextSequence: 2 },
      messages: [message(0, 1)],
    };
    assert.equal(await one.writer.append({ ...request, epoch }), 'fenced');
    assert.equal((await one.writer.loadWatermark('orders'))?.position, 0n);
    assert.equal(await other.writer.append({ ...request, epoch: second.epoch }), 'committed');
    assert.equal(await other.writer.append({ ...request, epoch: second.epoch }), 'fenced', 'the same append again');
    assert.deepEqual(await one.writer.loadWatermark('orders'), {
      source: 'orders',
      position: 5n,
      nextSequence: 2,
      epoch: second.epoch,
      leader: 'other',
      ...RUNNING,
    });
    const [batch] = await one.sender.readBatches([{ lane: 0, cursor: 0, rowsMax: 10 }], { rowsMax: 10, bytesMax: 1e6 });
    assert.deepEqual(
      batch?.rows.map(({ id }) => id),
      [outboxId(0, 1)],
    );
  });

  check('I2: of appends that race for one sequence exactly one commits', async (world) => {
    const { one, other } = world;
    const { epoch } = await startSource(world, 'orders', 1);
    for (let sequence = 1; sequence <= 20; sequence += 1) {
      const outcomes = await Promise.all(
        [one, other, one, other].map(({ writer }) =>
          writer.append({
            source: 'orders',
            epoch,
            expectedNextSequence: sequence,
            next: { position: BigInt(sequence), gaps: NO_CHANGES, nextSequence: sequence + 1 },
            messages: [message(0, sequence)],
          }),
        ),
      );
      assert.deepEqual(outcomes.toSorted(), ['committed', 'fenced', 'fenced', 'fenced']);
    }
    assert.equal((await one.writer.loadWatermark('orders'))?.nextSequence, 21);
  });

  check('an append without messages moves position and gaps, and unknown sources are fenced', async (world) => {
    const { append } = await startSource(world, 'orders', 1);
    assert.equal(await append([], 1), 'committed');
    assert.equal((await world.one.writer.loadWatermark('orders'))?.position, 0n);
    const unknown = { source: 'none', epoch: 1, expectedNextSequence: 1, messages: [] };
    const next = { position: 1n, gaps: NO_CHANGES, nextSequence: 1 };
    assert.equal(await world.one.writer.append({ ...unknown, next }), 'fenced');
    await assert.rejects(world.one.writer.beginTerm('none', 'one'), { code: 'INVARIANT_BROKEN' });
  });
}

function checkBatchSizes(check: StoreCheck): void {
  check('I8: an id that is in use already breaks the append as a whole', async (world) => {
    const { append } = await startSource(world, 'orders', 1);
    await append([message(0, 5)], 2);
    await assert.rejects(append([message(0, 4), message(0, 5)]), { code: 'INVARIANT_BROKEN' });
    assert.equal((await world.one.writer.loadWatermark('orders'))?.nextSequence, 2);
    const [batch] = await world.one.sender.readBatches([{ lane: 0, cursor: 0, rowsMax: 10 }], {
      rowsMax: 10,
      bytesMax: 1e6,
    });
    assert.equal(batch?.rows.length, 1);
  });

  check('every batch size comes through whole', async (world) => {
    const { append } = await startSource(world, 'orders', 1);
    let first = 1;
    for (const count of [1, 2, 9, 15, 100, 777, 1_000, 2_345]) {
      await append(Array.from({ length: count }, (_, index) => message(0, first + index)));
      const [batch] = await world.other.sender.readBatches(
        [{ lane: 0, cursor: outboxId(0, first) - 1, rowsMax: 5_000 }],
        {
          rowsMax: 5_000,
          bytesMax: 1e9,
        },
      );
      assert.deepEqual(
        batch?.rows.map(({ id }) => id),
        Array.from({ length: count }, (_, index) => outboxId(0, first + index)),
      );
      first += count;
    }
  });
}

function checkTopics(check: StoreCheck): void {
  check('I4: topics that may be sent to are known to every sender, for as long as was said', async (world) => {
    const [one, other] = [world.one.sender, world.other.sender];
    assert.deepEqual(await one.listTopics(5_000, 10), []);
    await one.noteTopics(['orders', 'Orders', 'payments'], 1_000);
    await other.noteTopics(['payments', 'refunds'], 20_000);
    await one.noteTopics(['payments'], 1_000);
    const everything = ['Orders', 'orders', 'payments', 'refunds'];
    assert.deepEqual(await other.listTopics(5_000, 10), everything, 'names differ in case');
    assert.deepEqual(await other.listTopics(5_000, 2), everything.slice(0, 2));
    await world.elapse(10_000);
    assert.deepEqual(await one.listTopics(5_000, 10), ['payments', 'refunds'], 'a time once given is not cut');
    assert.deepEqual(await one.listTopics(60_000, 10), everything);
    await other.noteTopics(['orders'], 1_000);
    assert.deepEqual(await one.listTopics(5_000, 10), ['orders', 'payments', 'refunds']);
  });

  check('many topics noted by several at once are all there', async (world) => {
    const topics = Array.from({ length: 1_200 }, (_, index) => `topic-${String(index).padStart(4, '0')}`);
    await Promise.all([
      world.one.sender.noteTopics(topics, 60_000),
      world.other.sender.noteTopics([...topics].reverse(), 60_000),
    ]);
    assert.deepEqual(await world.one.sender.listTopics(1_000, 2_000), topics);
  });
}
