/** What a reader refuses at start, how it takes changes of the table while it runs, and how it bounds big rows. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, type Pool } from '#database';
import type { DeliveredColumn, GapMode, SourceBatch, SourceDefinition } from '#outbox';
import { type Logger, RelayError, silentLogger } from '#runtime';
import { createTestDatabase, numbersSql, type TestDatabase, testDatabaseOptions } from '#testkit';
import { createSourceReader } from './index.ts';

const LIMITS = { rowsMax: 100, bytesMax: 1_000_000 };

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_source_reader' });
  pool = createPool(testDatabaseOptions(database));
});

after(async () => {
  await pool.close();
  await database.drop();
});

function readerOf(
  table: string,
  more: Partial<SourceDefinition> = {},
  gapMode: GapMode = 'locks',
  logger = silentLogger,
  delivered: readonly DeliveredColumn[] | null = null,
) {
  return createSourceReader({
    pool,
    delivered,
    source: {
      name: 'src',
      table,
      watermarkColumn: 'id',
      columns: null,
      keyColumn: null,
      topic: 'events',
      topicColumn: null,
      ...more,
    },
    gapMode,
    logger,
  });
}

const refusal =
  (code: string, ...words: string[]) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof RelayError, String(error));
    assert.equal(error.code, code, error.message);
    for (const word of words) assert.ok(error.message.includes(word), `${word} in: ${error.message}`);
    assert.ok(!error.message.includes('\n'));
    return true;
  };

const values = (batch: SourceBatch): (string | undefined)[] => batch.rows.map((row) => row.value?.toString());

test('what is not as it must be is refused in one line', async () => {
  await pool.run('CREATE TABLE good (id INT AUTO_INCREMENT PRIMARY KEY, a INT, s VARCHAR(9), d DECIMAL(9,0))');
  await pool.run('CREATE VIEW looking AS SELECT * FROM good');
  await pool.run('CREATE TABLE no_primary (id INT AUTO_INCREMENT, KEY (id))');
  await pool.run('CREATE TABLE not_leading (g INT, id INT AUTO_INCREMENT, PRIMARY KEY (g, id)) ENGINE = MyISAM');
  await pool.run('CREATE TABLE isam (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = MyISAM');
  const cases: readonly [string, Partial<SourceDefinition>, string[]][] = [
    ['looking', {}, ['view']],
    ['good', { watermarkColumn: 'WatermarkId' }, ['WatermarkId', 'no column']],
    ['good', { watermarkColumn: 's' }, ['s of good', 'varchar']],
    ['good', { watermarkColumn: 'd' }, ['decimal']],
    ['good', { watermarkColumn: 'a' }, ['AUTO_INCREMENT']],
    ['good', { columns: ['id', 'nope'] }, ['nope', 'listed']],
    ['good', { keyColumn: 'nope' }, ['nope', 'key column']],
    ['good', { topicColumn: 'nope' }, ['nope', 'topic column']],
    ['no_primary', {}, ['primary key']],
    ['not_leading', {}, ['leads no index']],
  ];
  for (const [table, more, words] of cases) {
    await assert.rejects(readerOf(table, more), refusal('DB_SCHEMA', ...words));
  }
  await assert.rejects(readerOf('absent'), refusal('SOURCE_TABLE_MISSING', 'absent', 'does not exist'));
  await assert.rejects(readerOf('isam'), refusal('DB_UNSUPPORTED', 'MyISAM', 'time'));
  assert.equal((await readerOf('isam', {}, 'time')).gapMode, 'time');
});

test('columns, key and topic are found whatever their case and wherever they are', async () => {
  await pool.run(
    'CREATE TABLE routed (Id INT AUTO_INCREMENT PRIMARY KEY, Body VARCHAR(9), Customer BIGINT, Route VARCHAR(20))',
  );
  await pool.run(
    "INSERT INTO routed (Body, Customer, Route) VALUES ('a', 9007199254740993, 'orders'), ('b', NULL, NULL)",
  );
  const reader = await readerOf('routed', { columns: ['body'], keyColumn: 'customer', topicColumn: 'route' });
  const { rows } = await reader.readAfter(0n, LIMITS);
  assert.deepEqual(
    rows.map((row) => [row.topic, row.key?.toString() ?? null, row.value?.toString()]),
    [
      ['orders', '9007199254740993', '{"Body":"a"}'],
      ['events', null, '{"Body":"b"}'],
    ],
  );
  const bare = await readerOf('routed', { columns: ['body'], topic: null, topicColumn: 'route' });
  assert.deepEqual(
    (await bare.readAfter(0n, LIMITS)).rows.map((row) => row.topic),
    ['orders', ''],
    'no topic at all is an empty one',
  );
});

test('a column added shows up with the next row, one that changes its type follows, one dropped stops the source', async () => {
  await pool.run('CREATE TABLE moving (id INT AUTO_INCREMENT PRIMARY KEY, a INT)');
  await pool.run('INSERT INTO moving (a) VALUES (1)');
  const reader = await readerOf('moving');
  const only = await readerOf('moving', { columns: ['id', 'a'] });
  assert.deepEqual(values(await reader.readAfter(0n, LIMITS)), ['{"id":1,"a":1}']);
  await pool.run('ALTER TABLE moving ADD f FLOAT DEFAULT 0.1, ADD j JSON FIRST');
  assert.deepEqual(values(await reader.readAfter(0n, LIMITS)), ['{"j":null,"id":1,"a":1,"f":0.1}']);
  await pool.run('ALTER TABLE moving MODIFY a VARCHAR(9), MODIFY f VARCHAR(9)');
  assert.deepEqual(values(await reader.readAfter(0n, LIMITS)), ['{"j":null,"id":1,"a":"1","f":"0.1"}']);
  await pool.run('ALTER TABLE moving MODIFY a FLOAT');
  assert.deepEqual(values(await only.inSnapshot((snapshot) => snapshot.readRanges([{ from: 1n, to: 1n }], LIMITS))), [
    '{"id":1,"a":1}',
  ]);
  assert.deepEqual(values(await reader.readAfter(0n, LIMITS)), ['{"j":null,"id":1,"a":1,"f":"0.1"}']);
  await pool.run('ALTER TABLE moving RENAME COLUMN a TO b');
  await assert.rejects(reader.readAfter(0n, LIMITS), refusal('SOURCE_COLUMNS_GONE', 'column a', 'dropped, renamed'));
  await assert.rejects(only.readAfter(0n, LIMITS), refusal('SOURCE_COLUMNS_GONE', 'column a'));
  const { columns = [] } = reader;
  const again = (more: Partial<SourceDefinition> = {}) => readerOf('moving', more, 'locks', silentLogger, columns);
  await assert.rejects(again(), refusal('SOURCE_COLUMNS_GONE', 'column a'));
  await again({ columns: ['id', 'f'] });
  await pool.run('ALTER TABLE moving RENAME COLUMN b TO A');
  await assert.rejects(again(), refusal('SOURCE_COLUMNS_GONE', 'column a'), 'letter case');
  await pool.run('ALTER TABLE moving RENAME COLUMN A TO a, MODIFY f VARCHAR(9) INVISIBLE');
  await assert.rejects(again(), refusal('SOURCE_COLUMNS_GONE', 'column f', 'invisible'));
  await assert.rejects(reader.readAfter(0n, LIMITS), refusal('SOURCE_COLUMNS_GONE', 'column f'));
  await again({ columns: ['id', 'a', 'f'] });
  await pool.run('ALTER TABLE moving MODIFY f VARCHAR(9), RENAME COLUMN id TO pk');
  await assert.rejects(reader.highestPosition(), refusal('SOURCE_COLUMNS_GONE', 'id'));
  await pool.run('DROP TABLE moving');
  await assert.rejects(reader.highestPosition(), refusal('SOURCE_TABLE_MISSING', 'does not exist'));
});

test('a watermark that is not unique warns, and a value used twice stops the source', async () => {
  await pool.run('CREATE TABLE loose (pk INT PRIMARY KEY, id INT AUTO_INCREMENT, KEY by_id (id))');
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_facts, message) => void warnings.push(message) };
  const reader = await readerOf('loose', {}, 'locks', logger);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] as string, /not unique/);
  await pool.run('INSERT INTO loose VALUES (1, 1), (2, 2), (3, 2), (4, 3)');
  await assert.rejects(reader.readAfter(0n, LIMITS), refusal('SOURCE_ID_TWICE', 'watermark 2', 'unique'));
  await assert.rejects(
    reader.readAfter(0n, { rowsMax: 2, bytesMax: 1_000_000 }),
    refusal('SOURCE_ID_TWICE', 'watermark 2'),
    'also across the cut of a batch',
  );
});

test('rows far bigger than the budget are read one by one, in order, and the pool stays usable', async () => {
  await pool.run('CREATE TABLE big (id INT AUTO_INCREMENT PRIMARY KEY, body LONGTEXT)');
  await pool.run(`INSERT INTO big (body) SELECT REPEAT('x', 1000000) FROM ${numbersSql(30)}`);
  const reader = await readerOf('big');
  const seen: bigint[] = [];
  for (let after = 0n; ; after = seen.at(-1) as bigint) {
    const batch = await reader.readAfter(after, { rowsMax: 1000, bytesMax: 500_000 });
    assert.ok(batch.rows.length <= 1);
    seen.push(...batch.rows.map((row) => row.position));
    if (!batch.full) break;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 30 }, (_, index) => BigInt(index + 1)),
  );
});
