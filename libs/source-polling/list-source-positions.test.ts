/** Walking a whole source for `verify`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, type Pool } from '#database';
import { createTestDatabase, numbersSql, type TestDatabase, testDatabaseOptions } from '#testkit';
import { type ListPositionsOptions, listSourcePositions, type SourcePosition } from './index.ts';

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_source_positions' });
  pool = createPool(testDatabaseOptions(database));
  await pool.run('CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, price FLOAT, body TEXT)');
  await pool.run(`INSERT INTO t (id, price, body) SELECT seq * 3, seq / 10, 'x' FROM ${numbersSql(2500)}`);
  await pool.run('UPDATE t SET price = NULL WHERE id = 30');
});

after(async () => {
  await pool.close();
  await database.drop();
});

async function list(more: Partial<ListPositionsOptions>, keyColumn: string | null = 'price') {
  const pages: (readonly SourcePosition[])[] = [];
  const source = {
    name: 's',
    table: 't',
    watermarkColumn: 'id',
    columns: null,
    keyColumn,
    topic: 'e',
    topicColumn: null,
  };
  for await (const page of listSourcePositions({ pool, source, ...more })) pages.push(page);
  return pages;
}

test('pages hold every position once, ascending, with the key as in the record', async () => {
  const pages = await list({ pageRowsMax: 1000 });
  assert.deepEqual(
    pages.map((page) => page.length),
    [1000, 1000, 500],
  );
  const all = pages.flat();
  assert.deepEqual(
    all.map((row) => row.position),
    Array.from({ length: 2500 }, (_, index) => BigInt((index + 1) * 3)),
  );
  assert.equal(all[0]?.key?.toString(), '0.1');
  assert.equal(all[9]?.key, null);
  assert.equal(all[2499]?.key?.toString(), '250');
});

test('bounds are exclusive below and inclusive above, and an exact last page ends the walk', async () => {
  const pages = await list({ after: 3n, upTo: 33n, pageRowsMax: 5 }, null);
  assert.deepEqual(
    pages.map((page) => page.map((row) => Number(row.position))),
    [
      [6, 9, 12, 15, 18],
      [21, 24, 27, 30, 33],
    ],
  );
  assert.equal(pages[0]?.[0]?.key, null);
  assert.deepEqual(await list({ after: 7500n }), []);
});
