/**
 * An INSERT that waits for a lock has taken its id already. Where the watermark leads the primary key its row is locked there
 * by then; where it does not, the probe finds nothing, and only time longer than the wait can settle the id (I1).
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { createPool, type Pool } from '#database';
import { silentLogger } from '#runtime';
import { createTestDatabase, type TestDatabase, testDatabaseOptions, until } from '#testkit';
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

const readerOf = (table: string) =>
  createSourceReader({
    pool,
    source: { name: 's', table, watermarkColumn: 'seq', columns: null, keyColumn: null, topic: 't', topicColumn: null },
    gapMode: 'locks',
    logger: silentLogger,
  });

/** An insert into `table`, with seq 2, waits for the lock of somebody who has just taken the same email. */
async function whileItWaits(table: string, columns: string, look: () => Promise<void>): Promise<void> {
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
    await look();
    await holder.query('ROLLBACK');
    await waiting;
  } finally {
    await holder.end();
    await waiter.end();
  }
}

test('where the watermark is the primary key, the waiting insert is locked, and needs no more grace', async () => {
  const columns = 'seq BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) UNIQUE, email VARCHAR(50) UNIQUE';
  await whileItWaits('own_key', columns, async () => {
    const reader = await readerOf('own_key');
    assert.equal(reader.graceMsMin, 0);
    assert.equal(await reader.probe({ from: 2n, to: 2n }), 'locked');
  });
});

test('the primary key is probed also where a unique key on the watermark alone exists', async () => {
  const columns =
    'seq BIGINT AUTO_INCREMENT, name VARCHAR(20), email VARCHAR(50) UNIQUE, PRIMARY KEY (seq, name), UNIQUE KEY a_seq (seq)';
  await whileItWaits('both_keys', columns, async () => {
    const reader = await readerOf('both_keys');
    assert.equal(reader.graceMsMin, 0);
    assert.equal(await reader.probe({ from: 2n, to: 2n }), 'locked');
  });
});

test('where it is another key, the probe may find nothing: the grace outlasts every wait, and the row is read (I1)', async () => {
  const columns =
    'name VARCHAR(20) PRIMARY KEY, email VARCHAR(50) NOT NULL UNIQUE, seq BIGINT AUTO_INCREMENT, UNIQUE KEY (seq)';
  const [row] = await pool.query<{ seconds: number }>('SELECT @@GLOBAL.innodb_lock_wait_timeout AS seconds');
  await whileItWaits('other_key', columns, async () => {
    const reader = await readerOf('other_key');
    assert.equal(await reader.probe({ from: 2n, to: 2n }), 'empty');
    assert.ok((reader.graceMsMin ?? 0) > 2 * Number(row?.seconds) * 1_000, String(reader.graceMsMin));
  });
  const { rows } = await (await readerOf('other_key')).readRanges([{ from: 2n, to: 2n }], LIMITS);
  assert.deepEqual(
    rows.map(({ position }) => position),
    [2n],
  );
});
