/** Changes of rows aside on a real server, held up before their COMMIT: what of the same claim comes after them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, openSession, type Pool, quoteIdentifier } from '#database';
import { type OutboxRow, outboxId } from '#outbox';
import { createTestDatabase, failOnLeaks, type TestDatabase, testDatabaseOptions, until } from '#testkit';
import { addLanes } from './add-lanes.ts';
import { createSenderStore } from './create-sender-store.ts';
import { migrate } from './migrate.ts';

const tables = {
  ...{ watermark: 'w', outbox: 'o', lane: 'l', member: 'm', deadLetter: 'd', topic: 't', gap: 'g' },
  sourceFacts: 'f',
};
const LEASE_MS = 15_000;
const WAIT_MS = 10_000;
const row: OutboxRow = {
  id: outboxId(0, 1),
  ...{ eventId: 's:1', topic: 'orders', key: Buffer.from('k'), value: Buffer.from('v'), headers: null, size: 2 },
};
const aside = { row, state: 'waiting', waitsFor: 'orders', error: 'is away', dueInMs: 0 } as const;

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_late' });
  pool = createPool(testDatabaseOptions(database));
  await migrate(pool, tables);
});

after(async () => {
  await pool.close();
  await database.drop();
});
failOnLeaks();

/** A statement that changes the table has begun and has no answer. InnoDB's own list of waits is not renewed while it is asked often. */
const isAt = async (table: string): Promise<boolean> => {
  const running = `SELECT info FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() AND command IN ('Query', 'Execute')`;
  const found = await pool.query<{ info: string | null }>(running);
  return found.some(({ info }) => info?.includes(` ${quoteIdentifier(table)} `) && !info.startsWith('SELECT'));
};

test('I4: the claim is not proven again while a change of rows aside may still be committed', async () => {
  const store = createSenderStore({ pool, tables });
  await pool.use((session) => addLanes(session, tables, 's', 1));
  const epoch = (await store.claimLane(0, 'me', LEASE_MS))?.claimEpoch ?? assert.fail('not claimed');
  assert.equal(await store.setAside(0, epoch, [aside]), true);
  const ids = [row.id];
  const changes: Record<string, () => Promise<unknown>> = {
    setAside: () => store.setAside(0, epoch, [aside]),
    moveAside: () => store.moveAside(0, epoch, ids, { waitsFor: null, error: 'waits behind its key' }),
    beginAttempt: () => store.beginAttempt(0, epoch, ids, 41),
    failAttempts: () => store.failAttempts(0, epoch, ids, { error: 'refused', dueInMs: 0, state: 'retrying' }),
    settleAttempts: () => store.settleAttempts(0, epoch, { arrived: ids, missing: [] }),
  };
  const blocker = await openSession(testDatabaseOptions(database));
  try {
    for (const [name, change] of Object.entries(changes)) {
      await blocker.run('START TRANSACTION');
      await blocker.query(`SELECT 1 FROM ${tables.deadLetter} WHERE id = ? FOR UPDATE`, [row.id]);
      const ended: string[] = [];
      const changed = change().then(() => ended.push(name));
      await until(`${name} to wait`, () => isAt(tables.deadLetter), WAIT_MS);
      const proven = store.renewLeases([{ lane: 0, claimEpoch: epoch }], LEASE_MS).then((kept) => {
        ended.push('proof');
        return kept;
      });
      await until('the proof to wait, or not', async () => (await isAt(tables.lane)) || ended.length > 0, WAIT_MS);
      assert.deepEqual(ended, [], `${name} holds the lane's row`);
      await blocker.run('ROLLBACK');
      await changed;
      assert.deepEqual(await proven, [0], name);
      assert.deepEqual(ended, [name, 'proof']);
    }
  } finally {
    await blocker.close();
  }
});
