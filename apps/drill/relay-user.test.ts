/** The drilled processes have the documented rights, no more and no fewer, and with these they run in gap mode `transactions`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '#config';
import { createPool } from '#database';
import { findMissingGrants } from '#outbox-storage';
import { proveGapMode } from '#source-polling';
import { createDeployment, testDatabaseOptions } from '#testkit';
import { createRelayUser } from './relay-user.ts';
import { SECRETS } from './servers.ts';

test('the drilled user proves gap mode transactions, and lacks no right', async () => {
  const source = { table: 'orders', keyColumn: 'customer', watermarkColumn: 'id' };
  const deployment = await createDeployment({ name: 'krs_drill_user', source });
  let user: string | null = null;
  try {
    await deployment.query('CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer INT)');
    await deployment.init();
    user = await createRelayUser(deployment, 'orders');
    const pool = createPool({ ...testDatabaseOptions(deployment.database), user, password: SECRETS.database });
    const { mode, reason } = await proveGapMode({ pool, wanted: 'auto' });
    const missing = await findMissingGrants(pool, loadConfig({ env: deployment.env }).config.tables);
    await pool.close();
    assert.equal(mode, 'transactions', reason);
    assert.deepEqual(missing, []);
  } finally {
    if (user !== null) await deployment.query(`DROP USER '${user}'@'%'`);
    await deployment.drop();
  }
});
