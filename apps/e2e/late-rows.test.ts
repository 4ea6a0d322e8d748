/**
 * I1 from outside: rows that become visible late, in bulk or not at all. KRS_TEST_LATE_SECONDS makes the open transaction
 * last longer than the usual few seconds (60 for the whole minute).
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import mysql from 'mysql2/promise';
import { assertNoDuplicates, type Deployment, failOnLeaks, numbersSql, readTopic, until } from '#testkit';
import { createSample, SAMPLE_TABLE } from './sample.ts';

const LATE_MS = Number(process.env.KRS_TEST_LATE_SECONDS ?? 4) * 1_000;
const START_DEADLINE_MS = 30_000;
/** Rows that do not wait for anything, and those that may come now. */
const SOON_MS = 3_000;
const GAP_CLOSES_MS = 8_000;
const BULK_ROWS = 20_000;
const BULK_DEADLINE_MS = 30_000;

let deployment: Deployment;
let slow: mysql.Connection;
let quick: mysql.Connection;

before(async () => {
  deployment = await createSample();
  await deployment.init();
  deployment.writer();
  deployment.sender();
  const { host, port, user, password, name } = deployment.database;
  slow = await mysql.createConnection({ host, port, user, password, database: name });
  quick = await mysql.createConnection({ host, port, user, password, database: name });
  const first = await insert(quick, 'first');
  await arrival([first], START_DEADLINE_MS);
});
after(async () => {
  slow?.destroy();
  quick?.destroy();
  await deployment?.drop();
});
failOnLeaks();

beforeEach(async () => {
  await slow.query('ROLLBACK');
});

async function insert(connection: mysql.Connection, account: string, sequence = 1): Promise<number> {
  const [result] = await connection.query<mysql.ResultSetHeader>(
    `INSERT INTO ${SAMPLE_TABLE} (Account, AccountSequence, Amount, Note, BookedAt) VALUES (?, ?, 1, NULL, NOW(6))`,
    [account, sequence],
  );
  return result.insertId;
}

/** Watermark values in the topic now. */
async function arrived(): Promise<number[]> {
  const records = await readTopic(deployment.topic);
  return records.map(({ headers }) => Number(headers.id?.split(':')[1]));
}

async function arrival(ids: readonly number[], deadlineMs: number): Promise<void> {
  await until(
    `rows ${ids.slice(0, 3).join(' ')} in the topic`,
    async () => {
      const seen = new Set(await arrived());
      return ids.every((id) => seen.has(id));
    },
    deadlineMs,
  );
}

async function openGaps(): Promise<[string, string][]> {
  const pages = await deployment.query<{ first: string; last: string }>(
    'SELECT first_position AS first, last_position AS last FROM kafka_row_sender_gap ORDER BY page',
  );
  return pages.map(({ first, last }) => [String(first), String(last)]);
}

test('I1: a row whose transaction commits seconds after higher ids arrives, and nobody waits for it', async () => {
  await slow.query('START TRANSACTION');
  const late = await insert(slow, 'late');
  const behind = [await insert(quick, 'behind'), await insert(quick, 'behind', 2)];
  assert.ok(behind.every((id) => id > late));
  await arrival(behind, SOON_MS);
  const openedMs = performance.now();
  // It stays open: the gap is looked at again and again in that time, and must not be given up.
  await until('the late commit', () => performance.now() - openedMs >= LATE_MS, LATE_MS + 1_000);
  const meanwhile = await insert(quick, 'behind', 3);
  await arrival([meanwhile], SOON_MS);
  assert.ok(!(await arrived()).includes(late), 'nothing uncommitted is ever delivered');
  await slow.query('COMMIT');
  await arrival([late], SOON_MS);
});

test('the gap of a rollback closes within seconds', async () => {
  await slow.query('START TRANSACTION');
  const lost = await insert(slow, 'lost');
  const behind = await insert(quick, 'behind the rollback');
  await arrival([behind], SOON_MS);
  assert.deepEqual(await openGaps(), [[String(lost), String(lost)]]);
  await slow.query('ROLLBACK');
  await until('no open gap', async () => (await openGaps()).length === 0, GAP_CLOSES_MS);
  assert.ok(!(await arrived()).includes(lost));
});

test(`${BULK_ROWS} rows in one INSERT .. SELECT arrive, while small transactions commit beside it`, async () => {
  const before = await arrived();
  const bulk = slow.query<mysql.ResultSetHeader>(
    `INSERT INTO ${SAMPLE_TABLE} (Account, AccountSequence, Amount, Note, BookedAt)
     SELECT CONCAT('bulk-', seq % 50), seq, seq, NULL, NOW(6) FROM ${numbersSql(BULK_ROWS)}`,
  );
  const beside: number[] = [];
  for (let count = 1; count <= 20; count += 1) beside.push(await insert(quick, 'beside', count));
  const [result] = await bulk;
  assert.equal(result.affectedRows, BULK_ROWS);
  await until(
    'all of them in the topic',
    async () => (await arrived()).length >= before.length + BULK_ROWS + beside.length,
    BULK_DEADLINE_MS,
  );
  const rows = await deployment.query<{ id: number }>(`SELECT WatermarkId AS id FROM ${SAMPLE_TABLE} ORDER BY id`);
  const ids = await arrived();
  assertNoDuplicates(ids, 'rows');
  assert.deepEqual(
    ids.sort((a, b) => a - b),
    rows.map(({ id }) => Number(id)),
  );
});

test(`${BULK_ROWS} rows in one INSERT .. VALUES arrive`, async () => {
  const before = (await arrived()).length;
  const values = Array.from({ length: BULK_ROWS }, (_, index) => [`values-${index % 50}`, index + 1, 1, null]);
  await slow.query(`INSERT INTO ${SAMPLE_TABLE} (Account, AccountSequence, Amount, Note, BookedAt) VALUES ?`, [
    values.map((row) => [...row, '2026-01-02 03:04:05']),
  ]);
  await until(
    'all of them in the topic',
    async () => (await arrived()).length === before + BULK_ROWS,
    BULK_DEADLINE_MS,
  );
});

test('both processes end with 0 on SIGTERM', async () => {
  await deployment.stopAll();
});
