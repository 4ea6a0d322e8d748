/** Rows set aside that waited behind one of their key which is gone: nothing but a moment keeps them from being sent. */
import type { SenderStore } from '#outbox';

const HEADS_MAX = 10_000;

/** Of at most 10,000 keys; parked rows that were tried and given up are the operator's, and do not count. */
export async function rowsInTurn(
  store: Pick<SenderStore, 'listAsideHeads'>,
  lanes: readonly { readonly lane: number }[],
): Promise<number> {
  const heads = await store.listAsideHeads(
    lanes.map(({ lane }) => lane),
    HEADS_MAX,
  );
  return heads.filter(({ state, attempts }) => state === 'parked' && attempts === 0).length;
}
