/** What a SourceReader tells of positions whose rows may still come (I1), and of the order in which they came (I5). */
import assert from 'node:assert/strict';
import type { PositionMask } from '#outbox';
import { until } from '../until.ts';
import {
  type Check,
  insertCommitted,
  numbered,
  positions,
  readRanges,
  type SourceWorld,
  WIDE,
} from './source-world.ts';

const BULK_ROWS = 20_000;

export function checkOpenTransactions(check: Check): void {
  checkGaps(check);
  checkSnapshots(check);
  checkTransactions(check);
}

function checkGaps(check: Check): void {
  check('I1: a row is present while its transaction is open, and read once it has committed', async (world) => {
    const [late, prompt] = [await world.begin(), await world.begin()];
    const [lateId] = (await late.insert(numbered(1))) as [bigint];
    const [promptId] = (await prompt.insert(numbered(1))) as [bigint];
    await prompt.commit();
    assert.deepEqual(positions(await world.reader.readAfter(0n, WIDE)), [promptId]);
    const gap = { from: lateId, to: lateId };
    assert.deepEqual(await world.reader.presentIn?.([gap], 9), [lateId]);
    assert.deepEqual(await world.reader.committedIn([gap], 9), []);
    await late.commit();
    assert.deepEqual(positions(await readRanges(world.reader, [gap], WIDE)), [lateId]);
  });

  check('I1: a row that is rolled back is present while its transaction is open only', async (world) => {
    const transaction = await world.begin();
    const ids = await transaction.insert(numbered(3));
    await insertCommitted(world, numbered(1));
    const gap = { from: ids[0] as bigint, to: ids[2] as bigint };
    assert.deepEqual(await world.reader.presentIn?.([gap], 9), ids);
    assert.deepEqual(await world.reader.presentIn?.([gap], 2), ids.slice(0, 2));
    await transaction.rollback();
    assert.deepEqual(await world.reader.presentIn?.([gap], 9), []);
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

  check('I1: a bulk insert in flight is present, and comes through whole', async (world) => {
    const bulk = await world.begin();
    const ids = await bulk.insert(numbered(BULK_ROWS));
    const range = { from: ids[0] as bigint, to: ids[BULK_ROWS - 1] as bigint };
    await insertCommitted(world, numbered(1));
    assert.equal((await world.reader.presentIn?.([range], BULK_ROWS))?.length, BULK_ROWS);
    await bulk.commit();
    const read: bigint[] = [];
    for (let after = 0n; ; after = read.at(-1) as bigint) {
      const batch = await readRanges(world.reader, [{ from: after + 1n, to: range.to }], {
        rowsMax: 3000,
        bytesMax: WIDE.bytesMax,
      });
      read.push(...positions(batch));
      if (!batch.full) break;
    }
    assert.deepEqual(read, ids);
  });
}

function checkSnapshots(check: Check): void {
  check('I5: a snapshot shows what was committed at its beginning, and nothing later', async (world) => {
    const late = await world.begin();
    const [lateId] = (await late.insert(numbered(1))) as [bigint];
    const [promptId] = (await insertCommitted(world, numbered(1))) as [bigint];
    const both = [{ from: lateId, to: promptId }];
    const mask = maskFor([lateId, promptId]);
    await world.reader.inSnapshot(async (snapshot) => {
      assert.deepEqual(await snapshot.committedOf(mask), [promptId]);
      await late.commit();
      assert.deepEqual(await snapshot.committedOf(mask), [promptId]);
      assert.deepEqual(positions(await snapshot.readRanges(both, WIDE)), [promptId]);
    });
    assert.deepEqual(await world.reader.committedIn(both, 9), [lateId, promptId]);
  });

  check('a mask counts each position by its own bit', async (world) => {
    const ids = await insertCommitted(world, numbered(40));
    const wanted = ids.filter((_, at) => at % 3 === 0 || at % 7 === 2);
    const found = await world.reader.inSnapshot((snapshot) => snapshot.committedOf(maskFor(wanted)));
    assert.deepEqual(found, wanted);
    const [first] = wanted as [bigint];
    const one = { first, last: first, bits: Buffer.from([0xff]) };
    assert.deepEqual(await world.reader.inSnapshot((snapshot) => snapshot.committedOf(one)), [first]);
  });
}

function maskFor(positions: readonly bigint[]): PositionMask {
  const [first, last] = [positions[0] ?? 0n, positions.at(-1) ?? 0n];
  const bits = Buffer.alloc(Math.floor(Number(last - first) / 8) + 1);
  for (const position of positions) {
    const at = Number(position - first);
    bits[at >> 3] = (bits[at >> 3] as number) | (1 << (at & 7));
  }
  return { first, last, bits };
}

const LISTED_DEADLINE_MS = 10_000;

/** Others of the same server's tests read its list, too: then it is asked again. */
const LISTS_MAX = 8;

/** Does the reader's list of transactions name the connection? */
export async function isListed({ reader }: Pick<SourceWorld, 'reader'>, connection: string): Promise<boolean> {
  for (let attempt = 1; attempt <= LISTS_MAX; attempt += 1) {
    const list = await reader.listTransactions?.();
    if (list) return list.transactions.some((each) => each.connection === connection);
  }
  return assert.fail('the list is never fresh');
}

function checkTransactions(check: Check): void {
  check('I1: a transaction with rows is listed from its first insert to its end', async (world) => {
    for (const end of ['commit', 'rollback'] as const) {
      const transaction = await world.begin();
      assert.equal(await isListed(world, transaction.connection), false, 'it owns nothing yet');
      await transaction.insert(numbered(1));
      assert.equal(await isListed(world, transaction.connection), true);
      await transaction[end]();
      assert.equal(await isListed(world, transaction.connection), false, end);
    }
  });

  check('I1: a transaction that owns an id and has no row is listed, and its row comes', async (world) => {
    assert.ok(world.wait);
    const waiting = await world.wait();
    await until('it is listed', () => isListed(world, waiting.connection), LISTED_DEADLINE_MS);
    assert.deepEqual(await world.reader.presentIn?.([{ from: 1n, to: 99n }], 9), [], 'there is no row of it');
    const id = await waiting.finish();
    assert.equal(await isListed(world, waiting.connection), false);
    assert.deepEqual(positions(await world.reader.readAfter(0n, WIDE)), [id]);
  });
}
