/** Every column type of the server, MariaDB or MySQL, written by SQL and read back as exact JSON. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { createPool, type Pool } from '#database';
import { silentLogger } from '#runtime';
import { createTestDatabase, type TestDatabase, testDatabaseOptions } from '#testkit';
import { createSourceReader } from './index.ts';
import { TYPE_EXAMPLES } from './type-examples.ts';

let database: TestDatabase;
let pool: Pool;
let isMysql: boolean;
/** MySQL has no such types, and writes JSON in an order and with spaces of its own. */
const MARIADB_ONLY = /^(UUID|INET4|INET6|JSON)$/;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_source_types' });
  pool = createPool(testDatabaseOptions(database));
  isMysql = (await pool.engine()).kind === 'mysql';
});

after(async () => {
  await pool.close();
  await database.drop();
});

const readerOf = (table: string, more: { columns?: readonly string[]; keyColumn?: string } = {}) =>
  createSourceReader({
    pool,
    source: {
      name: 'types',
      table,
      watermarkColumn: 'id',
      columns: more.columns ?? null,
      keyColumn: more.keyColumn ?? null,
      topic: 'events',
      topicColumn: null,
    },
    gapMode: 'locks',
    logger: silentLogger,
  });

test('every column type is exact', async () => {
  const CASES = TYPE_EXAMPLES.filter(([type]) => !(isMysql && MARIADB_ONLY.test(type)));
  const names = CASES.map((_, index) => `c${index}`);
  const columns = CASES.map(([type], index) => `c${index} ${type}${/NULL/.test(type) ? '' : ' NULL'}`);
  await pool.run(`CREATE TABLE types (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, ${columns.join(', ')})`);
  await pool.use(async (session) => {
    await session.run("SET SESSION sql_mode = ''");
    await session.run(`INSERT INTO types (${names.join(', ')}) VALUES (${CASES.map(([, sql]) => sql).join(', ')})`);
  });
  const reader = await readerOf('types');
  const { rows } = await reader.readAfter(0n, { rowsMax: 10, bytesMax: 1_000_000 });
  const value = rows[0]?.value?.toString() ?? '';
  const expected = CASES.map(([, , json], index) => `"c${index}":${json}`);
  for (const [index, member] of expected.entries()) {
    assert.ok(
      value.includes(`${member}${index === expected.length - 1 ? '}' : ','}`),
      `${CASES[index]?.[0]}: ${member} in ${value}`,
    );
  }
  assert.equal(value, `{"id":1,${expected.join(',')}}`);
  JSON.parse(value);
  // The same columns as keys.
  for (const [index, [type, , json, keyText]] of CASES.entries()) {
    const keyed = await readerOf('types', { columns: ['id'], keyColumn: `c${index}` });
    const [row] = (await keyed.readAfter(0n, { rowsMax: 1, bytesMax: 1_000_000 })).rows;
    const plain = json === 'null' ? null : json.replace(/^"(.*)"$/s, '$1');
    assert.equal(row?.key?.toString() ?? null, keyText ?? plain, `key of ${type}`);
    assert.equal(row?.value?.toString(), '{"id":1}');
  }
});

test('generated and invisible columns, odd names, lone surrogates, and JSON gone bad', async () => {
  await pool.run(`CREATE TABLE odd (
    id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a INT, twice INT AS (a * 2) VIRTUAL, \`stored\` BIGINT AS (a + 9007199254740993) STORED,
    hidden INT DEFAULT 5 INVISIBLE, \`we\`\`ird "na\u00efve" name\` INT DEFAULT 1, u VARCHAR(5) CHARACTER SET ucs2, j JSON)`);
  await pool.use(async (session) => {
    // MySQL never stores what is no JSON.
    if (!isMysql) await session.run('SET SESSION check_constraint_checks = 0');
    const json = isMysql ? '"{broken"' : '{broken';
    await session.run("INSERT INTO odd (id, a, u, j) VALUES (18446744073709551614, 21, X'0061D8000062', ?)", [json]);
  });
  const all = await (await readerOf('odd')).readAfter(18446744073709551613n, { rowsMax: 5, bytesMax: 10_000 });
  assert.equal(
    all.rows[0]?.value?.toString(),
    '{"id":18446744073709551614,"a":21,"twice":42,"stored":9007199254741014,"we`ird \\"na\u00efve\\" name":1,"u":"a\\ud800b","j":"{broken"}',
  );
  assert.equal(all.rows[0]?.eventId, 'types:18446744073709551614');
  assert.equal(all.rows[0]?.position, 18446744073709551614n);
  const listed = await readerOf('odd', { columns: ['hidden', 'A'], keyColumn: 'hidden' });
  const [row] = (await listed.readAfter(0n, { rowsMax: 5, bytesMax: 10_000 })).rows;
  assert.equal(row?.value?.toString(), '{"hidden":5,"a":21}', 'listed columns keep their order and their own spelling');
  assert.equal(row?.key?.toString(), '5');
  const range = { from: 18446744073709551614n, to: 18446744073709551615n };
  assert.deepEqual(await listed.committedIn([range], 5), [18446744073709551614n]);
  assert.deepEqual(await listed.presentIn?.([range], 5), [18446744073709551614n]);
  assert.equal(await listed.highestPosition(), 18446744073709551614n);
});

test('the generated columns that docs/types.md shows are sent, as values, as key, and of rows there before', async () => {
  const text = await readFile(new URL('../../docs/types.md', import.meta.url), 'utf8');
  const sql = /```sql\n(ALTER TABLE invoices[^;]*);\n```/.exec(text)?.[1];
  const columns = /^KAFKA_ROW_SENDER_SOURCE_COLUMNS=(.*)$/m.exec(text)?.[1]?.split(',');
  assert.ok(sql !== undefined && columns !== undefined, 'the recipe is there');
  await pool.run(
    'CREATE TABLE invoices (id INT AUTO_INCREMENT PRIMARY KEY, amount DECIMAL(30,9), ledger BIGINT UNSIGNED, address JSON)',
  );
  const insert = `INSERT INTO invoices (amount, ledger, address) VALUES (123456789012345678901.000000001, 18446744073709551615, '{"city":"Köln"}')`;
  await pool.run(insert);
  await pool.run(sql);
  await pool.run(insert);
  const reader = await readerOf('invoices', { columns, keyColumn: 'ledger_text' });
  const { rows } = await reader.readAfter(0n, { rowsMax: 10, bytesMax: 1_000_000 });
  const members = '"amount_text":"123456789012345678901.000000001","ledger_text":"18446744073709551615","city":"Köln"';
  assert.deepEqual(
    rows.map(({ key, value }) => [String(key), String(value)]),
    [1, 2].map((id) => ['18446744073709551615', `{"id":${id},${members}}`]),
  );
});
