/** The application's statements never wait on a lock of ours, while we read and look as fast as we can. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { createPool, type Pool } from '#database';
import type { SourceReader } from '#outbox';
import { silentLogger, systemClock } from '#runtime';
import { createTestDatabase, type TestDatabase, testDatabaseOptions } from '#testkit';
import { createSourceReader } from './index.ts';

const LIMITS = { rowsMax: 500, bytesMax: 1_000_000 };
const LOCK_WAIT_TIMEOUT_ERRNO = 1205;
const ROUNDS = 150;

let database: TestDatabase;
let pool: Pool;
let reader: SourceReader;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_source_waits' });
  pool = createPool(testDatabaseOptions(database));
  await pool.run('CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL, KEY by_v (v))');
  reader = await createSourceReader({
    pool,
    source: {
      name: 'waits',
      table: 't',
      watermarkColumn: 'id',
      columns: null,
      keyColumn: null,
      topic: 'e',
      topicColumn: null,
    },
    gapMode: 'locks',
    logger: silentLogger,
  });
});

after(async () => {
  await pool.close();
  await database.drop();
});

/** Gives up on a lock after one second, the least there is. */
async function connectApplication(): Promise<mysql.Connection> {
  const { name, drop: _drop, ...address } = database;
  const connection = await mysql.createConnection({ ...address, database: name });
  await connection.query('SET SESSION innodb_lock_wait_timeout = 1');
  return connection;
}

interface Work {
  /** Slowest statement, in milliseconds. */
  slowestMs: number;
  statements: number;
}

/** Late commits, rollbacks, updates and deletes of fresh rows, and rows put into gaps by id; each writer keeps to its own rows. */
async function work(connection: mysql.Connection, done: Work): Promise<void> {
  const run = async (sql: string, values: unknown[] = []): Promise<mysql.ResultSetHeader> => {
    const startedMs = systemClock.nowMs();
    const [result] = await connection.query<mysql.ResultSetHeader>(sql, values);
    done.slowestMs = Math.max(done.slowestMs, systemClock.nowMs() - startedMs);
    done.statements += 1;
    return result;
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    await run('START TRANSACTION');
    const { insertId } = await run('INSERT INTO t (v) VALUES (?), (?), (?)', [round, round, round]);
    await run('UPDATE t SET v = v + 1 WHERE id = ?', [insertId]);
    if (round % 3 === 0) {
      await run('ROLLBACK');
      await run('INSERT INTO t (id, v) VALUES (?, 0)', [insertId + 1]);
      continue;
    }
    await run('COMMIT');
    await run('UPDATE t SET v = v + 1 WHERE id BETWEEN ? AND ?', [insertId, insertId + 2]);
    await run('DELETE FROM t WHERE id = ?', [insertId + 2]);
  }
}

async function readAndLook(state: { running: boolean }): Promise<Map<string, number>> {
  const seen = new Map<string, number>(['read', 'committed', 'present'].map((what) => [what, 0]));
  while (state.running) {
    const highest = (await reader.highestPosition()) ?? 0n;
    const batch = await reader.readAfter(highest > 300n ? highest - 300n : 0n, LIMITS);
    seen.set('read', (seen.get('read') as number) + batch.rows.length);
    for (const range of [
      { from: highest - 5n, to: highest + 5n },
      { from: highest + 1n, to: highest + 300n },
      { from: highest - 200n, to: highest + 100n },
    ]) {
      const committed = await reader.committedIn([range], 1_000);
      const present = (await reader.presentIn?.([range], 1_000)) ?? [];
      seen.set('committed', (seen.get('committed') as number) + committed.length);
      seen.set('present', (seen.get('present') as number) + present.length);
    }
  }
  return seen;
}

/** A list takes a moment of the server's patience, so that it has a loop of its own. */
async function list(state: { running: boolean }): Promise<number> {
  let listed = 0;
  while (state.running) listed += (await reader.listTransactions?.())?.transactions.length ?? 0;
  return listed;
}

test('no statement of the application waits for us', async () => {
  const applications = await Promise.all([connectApplication(), connectApplication(), connectApplication()]);
  const done: Work = { slowestMs: 0, statements: 0 };
  const state = { running: true };
  const reading = Promise.all([readAndLook(state), readAndLook(state)]);
  const listing = list(state);
  try {
    // A wait for a lock of ours would end in error 1205 after a second, and reject.
    await Promise.all(applications.map((connection) => work(connection, done)));
  } finally {
    state.running = false;
    await Promise.all(applications.map((connection) => connection.end()));
  }
  for (const seen of await reading) {
    for (const outcome of ['read', 'committed', 'present']) {
      assert.ok((seen.get(outcome) ?? 0) > 0, `${outcome} was never seen: ${JSON.stringify([...seen])}`);
    }
  }
  assert.ok((await listing) > 0, 'no transaction was ever listed');
  assert.ok(done.statements > 3 * ROUNDS * 4);
  assert.ok(done.slowestMs < 1000, `slowest statement: ${done.slowestMs} ms`);
});

test('the measure works: a lock held on is noticed', async () => {
  const application = await connectApplication();
  try {
    const { insertId } = (await application.query<mysql.ResultSetHeader>('INSERT INTO t (v) VALUES (1)'))[0];
    await pool.use(async (session) => {
      await session.run('START TRANSACTION');
      await session.query('SELECT id FROM t WHERE id = ? LOCK IN SHARE MODE', [insertId]);
      await assert.rejects(
        application.query('UPDATE t SET v = 2 WHERE id = ?', [insertId]),
        (error: { errno?: number }) => error.errno === LOCK_WAIT_TIMEOUT_ERRNO,
      );
      await session.run('ROLLBACK');
    });
  } finally {
    await application.end();
  }
});
