/** Raises the epoch: the fence that makes every append of an earlier term `fenced` (I2). */
import { transaction } from '#database';
import type { WatermarkState } from '#outbox';
import { RelayError } from '#runtime';
import { retryDeadlock, type Storage } from './storage.ts';
import { readWatermark } from './watermark-row.ts';

/**
 * Waits for an append of the former leader that is under way, for the lock wait limit at most: then DB_TRANSIENT.
 * A halted source stays as it is. Throws INVARIANT_BROKEN when the source is not registered.
 */
export function beginTerm(storage: Storage, source: string, leader: string): Promise<WatermarkState> {
  const { tables } = storage;
  return retryDeadlock(storage, () =>
    transaction(storage.pool, async (session) => {
      await session.run(
        `UPDATE ${tables.watermark} SET epoch = epoch + 1, leader = ?, updated_at = NOW(6) WHERE source = ? AND state = 'running'`,
        [leader, source],
      );
      const state = await readWatermark(session, tables, source);
      if (state === null) throw new RelayError('INVARIANT_BROKEN', `source ${source} has no watermark row`);
      return state;
    }),
  );
}
