/** Which rows set aside are next, and which are somebody else's to wait for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AsideHead } from '#outbox';
import { rowsInTurn } from './rows-in-turn.ts';

const head = (state: AsideHead['state'], attempts: number) => ({ state, attempts }) as AsideHead;

test('rows that only waited behind another of their key count, those given up and those refused do not', async () => {
  const asked: number[][] = [];
  const store = {
    listAsideHeads: async (lanes: readonly number[]) => {
      asked.push([...lanes]);
      return [head('parked', 0), head('parked', 3), head('retrying', 0), head('retrying', 1)];
    },
  };
  assert.equal(await rowsInTurn(store, [{ lane: 4 }, { lane: 7 }]), 1);
  assert.deepEqual(asked, [[4, 7]]);
});
