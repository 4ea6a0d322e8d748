/** Upgrades on a real server: from every older version to the same tables that a fresh `migrate` makes, rows and all. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, type Pool } from '#database';
import type { OutboxTables } from '#outbox';
import { createTestDatabase, type TestDatabase, testDatabaseOptions } from '#testkit';
import { checkSchema, createSenderStore, createWriterStore, loadStart, migrate } from './index.ts';

/** As schema 1 made it. */
const WATERMARK_1 = `(
  source VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  position DECIMAL(20,0) NOT NULL,
  gaps LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  next_sequence BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  leader VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  updated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (source)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='kafka-row-sender schema 1'`;

const tablesOf = (name: string): OutboxTables => ({
  watermark: `${name}_watermark`,
  outbox: `${name}_outbox`,
  lane: `${name}_lane`,
  member: `${name}_member`,
  deadLetter: `${name}_dead_letter`,
  topic: `${name}_topic`,
});

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

/** Tables of schema 1 with a source in them. */
async function makeSchema1(tables: OutboxTables): Promise<void> {
  await migrate(pool, tables);
  await pool.run(`DROP TABLE ${tables.watermark}, ${tables.topic}`);
  await pool.run(`CREATE TABLE ${tables.watermark} ${WATERMARK_1}`);
  await pool.run(`INSERT INTO ${tables.watermark} VALUES ('orders', 7, '[["3","4"]]', 8, 2, 'w', NOW(6))`);
}

const describe = async (table: string): Promise<string> => {
  const [row] = await pool.query<Record<string, string>>(`SHOW CREATE TABLE ${table}`);
  return (row?.['Create Table'] ?? '').replaceAll(table, 'TABLE');
};

test('schema 1 is brought up, keeps its rows, and becomes what a fresh one is', async () => {
  const [old, fresh] = [tablesOf('old'), tablesOf('fresh')];
  await makeSchema1(old);
  await migrate(pool, fresh);
  await assert.rejects(checkSchema(pool, old), { code: 'DB_SCHEMA', message: /run init/ });
  assert.deepEqual(await migrate(pool, old), { outcome: 'upgraded', from: 1, to: 3 });
  await checkSchema(pool, old);
  assert.equal(await describe(old.watermark), await describe(fresh.watermark));
  assert.equal(await describe(old.topic), await describe(fresh.topic));
  const state = await createWriterStore({ pool, tables: old }).loadWatermark('orders');
  assert.deepEqual([state?.position, state?.gaps, state?.nextSequence], [7n, [{ from: 3n, to: 4n }], 8]);
  assert.equal(await loadStart({ pool, tables: old }, 'orders'), null);
});

test('schema 2 is brought up, and topics of the rows that wait are known', async () => {
  const tables = tablesOf('second');
  await migrate(pool, tables);
  await pool.run(`DROP TABLE ${tables.topic}`);
  await pool.run(`ALTER TABLE ${tables.watermark} COMMENT='kafka-row-sender schema 2'`);
  const insert = `INSERT INTO ${tables.outbox} (id, event_id, topic, size) VALUES (?, ?, ?, 0)`;
  for (const [id, topic] of ['orders', 'orders', 'refunds', 'x'.repeat(300)].entries()) {
    await pool.run(insert, [id + 1, `e${id}`, topic]);
  }
  assert.deepEqual(await migrate(pool, tables), { outcome: 'upgraded', from: 2, to: 3 });
  await checkSchema(pool, tables);
  assert.deepEqual(await createSenderStore({ pool, tables }).listTopics(60_000, 10), ['orders', 'refunds']);
});

test('two that upgrade at once do no harm', async () => {
  const tables = tablesOf('both');
  await makeSchema1(tables);
  const results = await Promise.all([migrate(pool, tables), migrate(pool, tables)]);
  assert.ok(results.every(({ to }) => to === 3));
  await checkSchema(pool, tables);
});

test('where a source began is kept, whatever becomes of its watermark', async () => {
  const tables = tablesOf('start');
  await migrate(pool, tables);
  const writer = createWriterStore({ pool, tables });
  const gaps = [{ from: 5n, to: 6n }];
  await writer.registerSource({ source: 'orders', position: 9_007_199_254_740_993n, gaps, lanes: 1 });
  const { epoch } = await writer.beginTerm('orders', 'w');
  const next = { position: 9_007_199_254_740_999n, gaps: [], nextSequence: 1 };
  await writer.append({ source: 'orders', epoch, expectedNextSequence: 1, next, messages: [] });
  assert.deepEqual(await loadStart({ pool, tables }, 'orders'), { after: 9_007_199_254_740_993n, gaps });
  assert.equal(await loadStart({ pool, tables }, 'nobody'), null);
});
