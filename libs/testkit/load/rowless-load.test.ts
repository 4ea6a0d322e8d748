/** The load's book is what the table holds, whatever KILLs, deadlocks, XA transactions and cut connections made of it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { systemClock } from '#runtime';
import { createTestDatabase, type TestDatabase } from '../create-test-database.ts';
import { failOnLeaks } from '../leak-check.ts';
import { seededRandom, testSeed } from '../seeded-random.ts';
import { planRowless, ROWLESS_KINDS } from './plan-rowless.ts';
import { startRowlessLoad } from './rowless-load.ts';
import { FENCE, ROWLESS_TABLE, rowlessTables } from './rowless-table.ts';
import { TOKEN } from './transaction-book.ts';

const LOAD_MS = 8_000;
const MIX = { waits: 0.3, selectWaits: 0.3, child: true, selects: 'always' } as const;
/** Fresh rows, which nobody replaces, deletes or ignores. */
const KEPT = new Set(['insert', 'insert-child', 'insert-select', 'insert-explicit-id']);

let database: TestDatabase;
let connection: mysql.Connection;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_rowless' });
  const { host, port, user, password, name } = database;
  connection = await mysql.createConnection({ host, port, user, password, database: name });
  for (const sql of rowlessTables({ child: true })) await connection.query(sql);
});
after(async () => {
  connection?.destroy();
  await database?.drop();
});
failOnLeaks();

test('what the table holds was committed, what was committed and kept is in the table', async () => {
  const seed = testSeed();
  const load = await startRowlessLoad({
    ...{ target: database, seed, mix: MIX, connections: 12, bulkConnections: 1, holders: 3, longMs: 2_000 },
    ...{ relayIsBehind: () => false, write: null },
  });
  await Promise.race([systemClock.sleep(LOAD_MS), load.fault]);
  await load.stop();
  const { book, progress } = load;
  const [rows] = await connection.query<mysql.RowDataPacket[]>(`SELECT id, token FROM ${ROWLESS_TABLE}`);
  const held = new Set(rows.map(({ token }) => Number(token)));
  const rolledBack = [...held].filter(
    (token) => ![TOKEN.committed, TOKEN.undecided].includes(book.stateOf(token) as 1),
  );
  assert.deepEqual(rolledBack, [], `seed ${seed}: tokens in the table that were rolled back`);
  const gone: number[] = [];
  for (let token = 1; token <= book.tokens; token += 1) {
    const kept = book.stateOf(token) === TOKEN.committed && KEPT.has(book.kindOf(token)) && token > FIRST_FREE;
    if (kept && !held.has(token)) gone.push(token);
  }
  assert.deepEqual(gone, [], `seed ${seed}: committed tokens that are not in the table`);
  const done = JSON.stringify({ ...progress, byKind: [...progress.byKind], failed: [...progress.failed] });
  assert.ok(progress.dangerous > 0 && progress.prepared > 0 && progress.kills > 0 && progress.rollbacks > 0, done);
});

/** Those of the rows that everybody replaces. */
const FIRST_FREE = FENCE + 1;

test('the same seed plans the same transactions, of every kind', () => {
  const plan = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 500 }, () => planRowless(random, { ...MIX, selects: true }));
  };
  assert.deepEqual(plan(7), plan(7));
  const kinds = new Set(plan(7).flatMap(({ statements }) => statements.map(({ kind }) => kind)));
  assert.deepEqual(
    ROWLESS_KINDS.filter((kind) => !kinds.has(kind)),
    [],
  );
});
