/** The store contract on the fake and on MariaDB. */

import { after, before } from 'node:test';
import { createPool, type Pool, quoteIdentifier } from '#database';
import type { OutboxTables } from '#outbox';
import type { Clock } from '#runtime';
import {
  createFakeStore,
  createTestDatabase,
  FakeOutboxTables,
  failOnLeaks,
  type StoreSide,
  storeContract,
  type TestDatabase,
  testDatabaseOptions,
  testTables,
} from '#testkit';
import { createSenderStore, createWriterStore, migrate } from './index.ts';

storeContract({
  name: 'fake',
  open: async () => {
    let nowMs = 1_000_000;
    const clock: Clock = { nowMs: () => nowMs, wallMs: () => nowMs, sleep: async () => undefined };
    const tables = new FakeOutboxTables(clock);
    return {
      one: createFakeStore({ tables }),
      other: createFakeStore({ tables }),
      elapse: async (ms) => {
        nowMs += ms;
      },
      close: async () => undefined,
    };
  },
});

let database: TestDatabase;
let pool: Pool;
let worlds = 0;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_store_contract' });
  pool = createPool(testDatabaseOptions(database));
});

after(async () => {
  await pool.close();
  await database.drop();
});
// Registered after the closing hook, and so run after it.
failOnLeaks();

/** The database's clock cannot be turned: what it is compared with moves back instead. */
async function elapse(tables: OutboxTables, ms: number): Promise<void> {
  for (const [table, column] of [
    [tables.lane, 'lease_until'],
    [tables.member, 'heartbeat_at'],
    [tables.deadLetter, 'due_at'],
    [tables.topic, 'sent_until'],
  ] as const) {
    await pool.run(`UPDATE ${quoteIdentifier(table)} SET ${column} = ${column} - INTERVAL ? MICROSECOND`, [ms * 1_000]);
  }
}

storeContract({
  name: 'MariaDB',
  open: async () => {
    worlds += 1;
    const tables = testTables(`w${worlds}_`);
    await migrate(pool, tables);
    const second = createPool(testDatabaseOptions(database));
    const side = (of: Pool): StoreSide => ({
      writer: createWriterStore({ pool: of, tables }),
      sender: createSenderStore({ pool: of, tables }),
    });
    return {
      one: side(pool),
      other: side(second),
      elapse: (ms) => elapse(tables, ms),
      close: () => second.close(),
    };
  },
});
