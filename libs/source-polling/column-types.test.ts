/** Every column type of MariaDB, written by SQL and read back as exact JSON. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, type Pool } from '#database';
import { silentLogger } from '#runtime';
import { createTestDatabase, type TestDatabase, testDatabaseOptions } from '#testkit';
import { createSourceReader } from './index.ts';

const BIG_DECIMAL = `${'1234567890'.repeat(3)}12345.${'098765432109876543210987654321'}`;
const BIRD = '\u{1f426}';

/** Column definition, SQL literal, JSON text; a key text where it is not the JSON without quotes. */
const CASES: readonly (readonly [string, string, string, string?])[] = [
  ['TINYINT', '-128', '-128'],
  ['TINYINT(1)', 'TRUE', '1'],
  ['SMALLINT UNSIGNED', '65535', '65535'],
  ['MEDIUMINT', '-8388608', '-8388608'],
  ['INT(8) ZEROFILL', '42', '42'],
  ['INT(8) ZEROFILL', '0', '0'],
  ['BIGINT', '-9223372036854775808', '-9223372036854775808'],
  ['BIGINT UNSIGNED', '18446744073709551615', '18446744073709551615'],
  ['BIGINT', '9007199254740993', '9007199254740993'],
  ['DECIMAL(65,30)', BIG_DECIMAL, BIG_DECIMAL],
  ['DECIMAL(10,4)', '-0.5', '-0.5000'],
  ['DECIMAL(10,2) ZEROFILL', '7.5', '7.50'],
  ['DOUBLE', '1.7976931348623157e308', '1.7976931348623157e308'],
  ['DOUBLE', '-2.2250738585072014e-308', '-2.2250738585072014e-308'],
  ['DOUBLE', '5e-324', '5e-324'],
  ['DOUBLE', '0.1e0 + 0.2e0', '0.30000000000000004'],
  ['DOUBLE', '123456789012345680e0', '1.2345678901234568e17'],
  ['FLOAT', '16777216', '16777216'],
  ['FLOAT', '0.1', '0.1'],
  ['FLOAT', '3.4028234e38', '3.4028235e+38'],
  ['FLOAT', '-1.17549435e-38', '-1.1754944e-38'],
  ['FLOAT', 'NULL', 'null'],
  ['FLOAT(7,3)', '1234.567', '1234.567'],
  ['YEAR', '2155', '2155'],
  ['YEAR', '0', '0'],
  ['DATE', "'9999-12-31'", '"9999-12-31"'],
  ['DATE', "'0000-00-00'", '"0000-00-00"'],
  ['TIME(6)', "'-838:59:59.999999'", '"-838:59:59.999999"'],
  ['TIME', "'00:00:00'", '"00:00:00"'],
  ['DATETIME(6)', "'2026-01-02 03:04:05.123456'", '"2026-01-02 03:04:05.123456"'],
  ['DATETIME(6)', "'2026-01-02 03:04:05'", '"2026-01-02 03:04:05.000000"'],
  ['DATETIME(3)', "'1000-01-01 00:00:00.1'", '"1000-01-01 00:00:00.100"'],
  ['DATETIME', "'0000-00-00 00:00:00'", '"0000-00-00 00:00:00"'],
  ['TIMESTAMP(6) NULL', "'2026-06-30 23:59:59.999999'", '"2026-06-30 23:59:59.999999"'],
  ['CHAR(10)', "'ab'", '"ab"'],
  ['VARCHAR(50)', "''", '""'],
  [
    'VARCHAR(50)',
    `'emoji ${BIRD} "q" \\\\ \\n\\t\\0'`,
    `"emoji ${BIRD} \\"q\\" \\\\ \\n\\t\\u0000"`,
    `emoji ${BIRD} "q" \\ \n\t\0`,
  ],
  ['VARCHAR(50) CHARACTER SET latin1', "'caf\u00e9 \u20ac'", '"caf\u00e9 \u20ac"'],
  ['VARCHAR(50) CHARACTER SET utf16', `'${BIRD}'`, `"${BIRD}"`],
  ['VARCHAR(50) COLLATE utf8mb4_bin', "'bin'", '"bin"'],
  ['TEXT', "REPEAT('\u00e4', 3)", '"\u00e4\u00e4\u00e4"'],
  ['LONGTEXT', "CONCAT(CHAR(0xEFBBBF USING utf8mb4), 'bom')", '"\ufeffbom"'],
  ["ENUM('a','b c')", "'b c'", '"b c"'],
  ["SET('x','y','z')", "'x,z'", '"x,z"'],
  [
    'JSON',
    `'{"big": 12345678901234567890, "a" : [1.10, null, "${BIRD}"]}'`,
    `{"big": 12345678901234567890, "a" : [1.10, null, "${BIRD}"]}`,
  ],
  ['JSON', "'null'", 'null', 'null'],
  ['JSON', 'NULL', 'null'],
  ['BINARY(4)', "X'0001'", '"AAEAAA=="'],
  ['VARBINARY(10)', "X'FF00FE'", '"/wD+"'],
  ['VARBINARY(10)', "''", '""'],
  ['BLOB', "X'7B7D'", '"e30="'],
  ['LONGBLOB', "REPEAT(X'00', 9)", '"AAAAAAAAAAAA"'],
  ['BIT(1)', "b'1'", '"AQ=="'],
  ['BIT(64)', "b'1000000000000000000000000000000000000000000000000000000000000001'", '"gAAAAAAAAAE="'],
  ['POINT', "ST_GeomFromText('POINT(1 2)')", '"AAAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA=="'],
  ['UUID', "'123e4567-e89b-12d3-a456-426614174000'", '"123e4567-e89b-12d3-a456-426614174000"'],
  ['INET4', "'192.0.2.1'", '"192.0.2.1"'],
  ['INET6', "'2001:db8::1'", '"2001:db8::1"'],
  ['VARCHAR(10)', 'NULL', 'null'],
];

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_source_types' });
  pool = createPool(testDatabaseOptions(database));
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
    id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a INT, twice INT AS (a * 2) VIRTUAL, stored BIGINT AS (a + 9007199254740993) STORED,
    hidden INT INVISIBLE DEFAULT 5, \`we\`\`ird "na\u00efve" name\` INT DEFAULT 1, u VARCHAR(5) CHARACTER SET ucs2, j JSON)`);
  await pool.use(async (session) => {
    await session.run('SET SESSION check_constraint_checks = 0');
    await session.run("INSERT INTO odd (id, a, u, j) VALUES (18446744073709551614, 21, X'0061D8000062', '{broken')");
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
  assert.equal(await listed.probe(range), 'rows');
  assert.deepEqual(await listed.positionsIn(range, 5), [18446744073709551614n]);
  assert.equal(await listed.highestPosition(), 18446744073709551614n);
});
