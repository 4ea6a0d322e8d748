/** The relay's tables on a real server: made once, checked at start, and what a source began with. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, type Pool } from '#database';
import { GapSet, type OutboxTables } from '#outbox';
import { createTestDatabase, type TestDatabase, testDatabaseOptions, testTables } from '#testkit';
import { checkSchema, createWriterStore, loadStart, migrate } from './index.ts';
import { SCHEMA_VERSION } from './schema.ts';

const tablesOf = (name: string): OutboxTables => testTables(`${name}_`);

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_migrate' });
  pool = createPool(testDatabaseOptions(database));
});
after(async () => {
  await pool?.close();
  await database?.drop();
});

test('tables are made once, by however many at once', async () => {
  const tables = tablesOf('once');
  const results = await Promise.all([migrate(pool, tables), migrate(pool, tables)]);
  assert.ok(results.every(({ to }) => to === SCHEMA_VERSION));
  assert.equal((await migrate(pool, tables)).outcome, 'already there');
  await checkSchema(pool, tables);
});

test('tables of another schema are refused, with what to do', async () => {
  const tables = tablesOf('other');
  await migrate(pool, tables);
  for (const [version, code] of [
    [SCHEMA_VERSION - 1, 'DB_SCHEMA'],
    [SCHEMA_VERSION + 1, 'DB_UNSUPPORTED'],
  ] as const) {
    await pool.run(`ALTER TABLE ${tables.watermark} COMMENT='kafka-row-sender schema ${version}'`);
    await assert.rejects(migrate(pool, tables), { code });
    await assert.rejects(checkSchema(pool, tables), { code });
  }
  await assert.rejects(checkSchema(pool, tablesOf('none')), { code: 'DB_SCHEMA', message: /run init first/ });
});

test('where a source began is kept, whatever becomes of its watermark', async () => {
  const tables = tablesOf('start');
  await migrate(pool, tables);
  const writer = createWriterStore({ pool, tables });
  const ranges = [
    { from: 5n, to: 6n },
    { from: 10n, to: 40n, comb: { period: 3n, width: 1n } },
  ];
  const gaps = GapSet.of(ranges, 0).pages;
  await writer.registerSource({ source: 'orders', position: 9_007_199_254_740_993n, gaps, lanes: 1 });
  const { epoch } = await writer.beginTerm('orders', 'w');
  const next = {
    position: 9_007_199_254_740_999n,
    gaps: { put: [], drop: gaps.map(({ page }) => page) },
    nextSequence: 1,
  };
  await writer.append({ source: 'orders', epoch, expectedNextSequence: 1, next, messages: [] });
  assert.deepEqual(await loadStart({ pool, tables }, 'orders'), { after: 9_007_199_254_740_993n, gaps: ranges });
  assert.equal(await loadStart({ pool, tables }, 'nobody'), null);
});
