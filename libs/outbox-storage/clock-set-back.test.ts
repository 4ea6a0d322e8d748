/** The database's clock is set back: what was written by the clock that was ahead counts as written now. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { createPool, type Pool } from '#database';
import { createTestDatabase, testDatabaseOptions, until } from '#testkit';
import { addLanes } from './add-lanes.ts';
import { createSenderStore } from './create-sender-store.ts';
import { migrate } from './migrate.ts';

const tables = {
  watermark: 'w',
  outbox: 'o',
  lane: 'l',
  member: 'm',
  deadLetter: 'd',
  topic: 't',
  gap: 'g',
  sourceFacts: 'f',
};
const LEASE_MS = 1_000;
let pool: Pool;
let drop: () => Promise<void>;

before(async () => {
  const database = await createTestDatabase();
  drop = database.drop;
  pool = createPool(testDatabaseOptions(database));
  await migrate(pool, tables);
});

after(async () => {
  await pool.close();
  await drop();
});

it('lets the lanes and the heartbeat of a member that died in the future run out within their time', async () => {
  const store = createSenderStore({ pool, tables });
  await pool.use((session) => addLanes(session, tables, 's', 1));
  await store.heartbeat({ id: 'dead', kind: 'sender' }, LEASE_MS);
  assert.notEqual(await store.claimLane(0, 'dead', LEASE_MS), null);
  // An hour back, seen from the rows.
  await pool.run('UPDATE m SET heartbeat_at = heartbeat_at + INTERVAL 1 HOUR', []);
  await pool.run(
    'UPDATE l SET lease_until = lease_until + INTERVAL 1 HOUR, updated_at = updated_at + INTERVAL 1 HOUR',
    [],
  );
  const beat = () => store.heartbeat({ id: 'alive', kind: 'sender' }, LEASE_MS);
  assert.deepEqual(await beat(), ['alive', 'dead']);
  assert.equal(await store.claimLane(0, 'alive', LEASE_MS), null);
  const taken = await until('the lane to be free', () => store.claimLane(0, 'alive', LEASE_MS), 5 * LEASE_MS);
  assert.deepEqual(taken.fenceIds, ['dead']);
  await until('the dead member forgotten', async () => (await beat()).length === 1, 5 * LEASE_MS);
});
