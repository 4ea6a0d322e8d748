/** The load does what it says, and its ledger is what the table holds. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { createTestDatabase, type TestDatabase } from '../create-test-database.ts';
import { failOnLeaks } from '../leak-check.ts';
import { seededRandom } from '../seeded-random.ts';
import { assertLedgerDelivered, LedgerCheck } from './check-ledger.ts';
import { hotColumnSql } from './hot-rows.ts';
import type { LoadTarget } from './load-supply.ts';
import { planTransaction, USUAL_MIX } from './plan-transaction.ts';
import {
  SAMPLE_COLUMNS,
  SAMPLE_FREE,
  SAMPLE_KEY,
  SAMPLE_SEQUENCE,
  SAMPLE_WATERMARK,
  sampleSupplies,
  sampleTableSql,
} from './sample-rows.ts';
import { startLoad } from './start-load.ts';

const TABLE = 'bookings';
let database: TestDatabase;
let connection: mysql.Connection;
let target: LoadTarget;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_load' });
  const { host, port, user, password, name } = database;
  connection = await mysql.createConnection({ host, port, user, password, database: name });
  await connection.query(sampleTableSql(TABLE));
  target = {
    host,
    port,
    user,
    password,
    name,
    table: TABLE,
    watermarkColumn: SAMPLE_WATERMARK,
    columns: SAMPLE_COLUMNS,
  };
});

after(async () => {
  connection.destroy();
  await database.drop();
});

// After our own hooks: it looks at what they have left.
failOnLeaks();

test('commits exactly the rows asked for, with rollbacks, pauses and bulk inserts, and knows them all', async () => {
  const load = startLoad({ target, supplies: sampleSupplies({ connections: 6, rows: 6_000 }), seed: 1 });
  const ledger = await load.done;
  const [rows] = await connection.query<mysql.RowDataPacket[]>(
    `SELECT ${SAMPLE_KEY} AS k, ${SAMPLE_SEQUENCE} AS s FROM ${TABLE} ORDER BY ${SAMPLE_WATERMARK}`,
  );
  assert.equal(rows.length, 6_000);
  assert.equal(ledger.rows, 6_000);
  assertLedgerDelivered(
    ledger,
    rows.map(({ k, s }) => ({ key: String(k), sequence: Number(s) })),
  );
  const { commits, rollbacks, pauses, bulkInserts, lockErrors } = load.progress;
  assert.ok(commits > 0 && rollbacks > 0 && pauses > 0 && bulkInserts > 0, JSON.stringify(load.progress));
  assert.equal(lockErrors, 0);
  const [gaps] = await connection.query<mysql.RowDataPacket[]>(`SELECT MAX(${SAMPLE_WATERMARK}) AS last FROM ${TABLE}`);
  assert.ok(Number(gaps[0]?.last) > 6_000, 'rolled back ids leave gaps');
});

test('an endless load keeps its rate until it is stopped, and leaves nothing open', async () => {
  const [before] = await connection.query<mysql.RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${TABLE}`);
  const mix = { bulkShare: 0, longPauseShare: 0, pauseMsMax: 20 };
  const load = startLoad({ target, supplies: sampleSupplies({ connections: 4 }), seed: 2, mix, rowsPerSecond: 400 });
  const startedMs = performance.now();
  while (load.progress.committedRows < 400) await new Promise((resolve) => setTimeout(resolve, 20));
  const tookMs = performance.now() - startedMs;
  const ledger = await load.stop();
  const [after] = await connection.query<mysql.RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${TABLE}`);
  assert.equal(Number(after[0]?.n) - Number(before[0]?.n), ledger.rows);
  assert.ok(tookMs > 700, `400 rows at 400 a second took ${tookMs} ms`);
});

test('statements on hot rows and undone inserts: the ledger knows what was replaced, the others leave nothing', async () => {
  const table = 'hot_bookings';
  await connection.query(sampleTableSql(table));
  await connection.query(hotColumnSql(table));
  const mix = { hotShare: 0.5, undoneShare: 0.3, bulkShare: 0, longPauseShare: 0, pauseMsMax: 20 };
  const own = { ...target, table, freeColumn: SAMPLE_FREE };
  const load = startLoad({ target: own, supplies: sampleSupplies({ connections: 3, rows: 250 }), seed: 3, mix });
  const ledger = await load.done;
  const [rows] = await connection.query<mysql.RowDataPacket[]>(
    `SELECT ${SAMPLE_KEY} AS k, ${SAMPLE_SEQUENCE} AS s FROM ${table} ORDER BY ${SAMPLE_WATERMARK}`,
  );
  const check = new LedgerCheck();
  for (const { k, s } of rows) check.record(String(k), Number(s));
  const { missing, duplicated, outOfOrder, uncommitted, arrived } = check.result(ledger);
  assert.deepEqual(
    { missing, duplicated, outOfOrder, uncommitted },
    { missing: 0, duplicated: 0, outOfOrder: 0, uncommitted: 0 },
  );
  assert.ok(arrived < ledger.rows, 'no row was replaced');
  assert.ok(load.progress.hotStatements > 20, JSON.stringify(load.progress));
  assert.ok(load.progress.undoneInserts > 10, JSON.stringify(load.progress));
});

test('the same seed plans the same transactions', () => {
  const plan = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 200 }, () => planTransaction(random, USUAL_MIX));
  };
  assert.deepEqual(plan(7), plan(7));
  assert.notDeepEqual(plan(7), plan(8));
});
