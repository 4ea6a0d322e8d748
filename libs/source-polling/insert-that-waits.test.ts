/**
 * An INSERT that waits for a lock has taken its id already, and may have no row in the watermark's index yet. The list of
 * transactions shows it all the same; mode `locks` depends on the layout of the table, and on its grace (I1).
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { createPool, type Pool } from '#database';
import type { GapMode } from '#outbox';
import { silentLogger } from '#runtime';
import { createTestDatabase, isListed, type TestDatabase, testDatabaseOptions, until } from '#testkit';
import { createSourceReader } from './index.ts';

const LIMITS = { rowsMax: 100, bytesMax: 100_000 };
const DEADLINE_MS = 10_000;
const WAITING = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = ?";

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_insert_waits' });
  pool = createPool(testDatabaseOptions(database));
});
after(async () => {
  await pool.close();
  await database.drop();
});

async function session(): Promise<mysql.Connection> {
  const { host, port, user, password, name } = database;
  const connection = await mysql.createConnection({ host, port, user, password, database: name });
  // As many applications have it; at REPEATABLE READ the waiting insert would keep others from the table's end.
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  return connection;
}

const readerOf = (table: string, gapMode: GapMode) =>
  createSourceReader({
    pool,
    source: { name: 's', table, watermarkColumn: 'seq', columns: null, keyColumn: null, topic: 't', topicColumn: null },
    gapMode,
    logger: silentLogger,
  });

/** An insert into `table`, with seq 2, waits for the lock of somebody who has just taken the same email. */
async function whileItWaits(
  table: string,
  columns: string,
  look: (connection: string) => Promise<void>,
): Promise<void> {
  await pool.run(`CREATE TABLE ${table} (${columns}) ENGINE = InnoDB`);
  const [holder, waiter] = [await session(), await session()];
  try {
    await holder.query(`INSERT INTO ${table} (name, email) VALUES ('a', 'old@x')`);
    await holder.query('START TRANSACTION');
    await holder.query(`UPDATE ${table} SET email = 'new@x' WHERE name = 'a'`);
    const waiting = waiter.query(`INSERT INTO ${table} (name, email) VALUES ('b', 'new@x')`);
    const isWaiting = async () => {
      // The table of transactions shows what it was 0.1 s ago at the latest, but only to those who ask less often than that.
      await holder.query('SELECT SLEEP(0.15)');
      const [rows] = await holder.query(WAITING, [waiter.threadId]);
      return (rows as unknown[]).length > 0;
    };
    await until('the insert waits', isWaiting, DEADLINE_MS);
    await look(String(waiter.threadId));
    await holder.query('ROLLBACK');
    await waiting;
  } finally {
    await holder.end();
    await waiter.end();
  }
}

const LAYOUTS: Readonly<Record<string, string>> = {
  own_key: 'seq BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) UNIQUE, email VARCHAR(50) UNIQUE',
  both_keys:
    'seq BIGINT AUTO_INCREMENT, name VARCHAR(20), email VARCHAR(50) UNIQUE, PRIMARY KEY (seq, name), UNIQUE KEY a_seq (seq)',
  other_key:
    'name VARCHAR(20) PRIMARY KEY, email VARCHAR(50) NOT NULL UNIQUE, seq BIGINT AUTO_INCREMENT, UNIQUE KEY (seq)',
};

for (const [table, columns] of Object.entries(LAYOUTS)) {
  test(`I1: a waiting insert is listed wherever the watermark's index stands (${table})`, async () => {
    await whileItWaits(table, columns, async (connection) => {
      assert.ok(await isListed({ reader: await readerOf(table, 'transactions') }, connection));
    });
    const { rows } = await (await readerOf(table, 'transactions')).readAfter(1n, LIMITS);
    assert.deepEqual(
      rows.map(({ position }) => position),
      [2n],
    );
  });
}

test('mode locks: where the watermark leads the primary key the waiting row is present, elsewhere the grace is longer', async () => {
  const [row] = await pool.query<{ seconds: number }>('SELECT @@GLOBAL.innodb_lock_wait_timeout AS seconds');
  const waitMs = Number(row?.seconds) * 1_000;
  const present = async (table: string, columns: string) => {
    let found: readonly bigint[] = [];
    await whileItWaits(`${table}_locks`, columns, async () => {
      const reader = await readerOf(`${table}_locks`, 'locks');
      found = (await reader.presentIn?.([{ from: 2n, to: 2n }], 9)) ?? [];
      assert.ok(reader.graceMs > (table === 'other_key' ? 3 : 1) * waitMs, String(reader.graceMs));
    });
    return found;
  };
  assert.deepEqual(await present('own_key', LAYOUTS.own_key as string), [2n]);
  assert.deepEqual(await present('other_key', LAYOUTS.other_key as string), []);
});
