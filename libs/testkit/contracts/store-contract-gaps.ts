/** What every outbox store must do with the pages of open gaps. */
import assert from 'node:assert/strict';
import type { GapPage, StoredGapPage } from '#outbox';
import { message, NO_CHANGES, type StoreCheck, startSource } from './store-contract-world.ts';

const HUGE = 18_446_744_073_709_551_000n;

const page = (first: bigint, detail: string, missing = 1n): GapPage => ({
  page: first,
  first,
  last: first + 9n,
  missing,
  ranges: detail.split(' ').length,
  detail,
});

const withoutAge = (pages: readonly StoredGapPage[]): GapPage[] => pages.map(({ ageMs: _age, ...rest }) => rest);

export function checkGapPages(check: StoreCheck): void {
  check('I1: pages of gaps are written, written over and deleted with the append', async (world) => {
    const { one, other } = world;
    const { epoch } = await startSource(world, 'orders', 1);
    const append = (sequence: number, gaps: { readonly put: readonly GapPage[]; readonly drop: readonly bigint[] }) =>
      one.writer.append({
        source: 'orders',
        epoch,
        expectedNextSequence: sequence,
        next: { position: BigInt(sequence), gaps, nextSequence: sequence + 1 },
        messages: [message(0, sequence)],
      });
    const [low, high] = [page(3n, '0+2/5x2', 4n), page(HUGE, '0 2+8', 9n)];
    assert.equal(await append(1, { put: [high, low], drop: [] }), 'committed');
    assert.deepEqual(withoutAge(await other.writer.loadGaps('orders')), [low, high]);
    assert.deepEqual(await other.writer.loadGaps('others'), []);
    const changed = { ...low, first: 4n, missing: 3n, detail: '1 5+2' };
    assert.equal(await append(2, { put: [changed], drop: [HUGE] }), 'committed');
    const [left, ...more] = await other.writer.loadGaps('orders');
    assert.deepEqual(withoutAge(left === undefined ? [] : [left]), [changed]);
    assert.deepEqual(more, []);
    assert.ok((left?.ageMs ?? -1) >= 0);
    assert.equal(await append(3, NO_CHANGES), 'committed');
    assert.equal((await other.writer.loadGaps('orders')).length, 1, 'no change changes nothing');
  });

  check('I2: a fenced append changes no gaps', async (world) => {
    const { one, other } = world;
    const { epoch } = await startSource(world, 'orders', 1);
    await other.writer.beginTerm('orders', 'other');
    const next = { position: 9n, gaps: { put: [page(3n, '0')], drop: [] }, nextSequence: 2 };
    const request = { source: 'orders', epoch, expectedNextSequence: 1, next, messages: [] };
    assert.equal(await one.writer.append(request), 'fenced');
    assert.deepEqual(await one.writer.loadGaps('orders'), []);
  });

  check('many pages come back whole, in their order', async (world) => {
    const { one } = world;
    const pages = Array.from({ length: 2_500 }, (_, index) => page(BigInt(index) * 100n + 1n, '0'));
    await one.writer.registerSource({ source: 'orders', position: 1_000_000n, gaps: pages.slice(0, 100), lanes: 1 });
    const { epoch } = await one.writer.beginTerm('orders', 'one');
    const next = { position: 1_000_000n, gaps: { put: pages.slice(100), drop: [] }, nextSequence: 1 };
    const request = { source: 'orders', epoch, expectedNextSequence: 1, next, messages: [] };
    assert.equal(await one.writer.append(request), 'committed');
    assert.deepEqual(withoutAge(await one.writer.loadGaps('orders')), pages);
    const drop = pages.slice(5).map((each) => each.page);
    assert.equal(await one.writer.append({ ...request, next: { ...next, gaps: { put: [], drop } } }), 'committed');
    assert.deepEqual(withoutAge(await one.writer.loadGaps('orders')), pages.slice(0, 5));
  });
}
