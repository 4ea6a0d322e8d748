/** A transaction around a change and its events, with the doorbell rung after the commit. */
import type { Pool, PoolConnection } from 'mysql2/promise';

export interface TransactOutboxOptions {
  /** Rung after the commit, so that the relay need not wait for its next poll; never before. */
  readonly doorbell?: { ring(): void };
}

/**
 * Begins a transaction on a connection of the pool, runs `work`, commits, rings. Rejects as `work` or the driver does, after a
 * rollback. A commit whose answer was lost rejects, too: whether it was done only the data can say.
 */
export async function transactOutbox<T>(
  pool: Pool,
  work: (tx: PoolConnection) => Promise<T>,
  options: TransactOutboxOptions = {},
): Promise<T> {
  const tx = await pool.getConnection();
  try {
    await tx.beginTransaction();
    const result = await work(tx);
    await tx.commit();
    tx.release();
    options.doorbell?.ring();
    return result;
  } catch (thrown) {
    // Never back into the pool with a transaction open.
    await tx.rollback().then(
      () => tx.release(),
      () => tx.destroy(),
    );
    throw thrown;
  }
}
