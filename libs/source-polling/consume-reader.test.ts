/** Mode `consume` on a real table: what a row becomes, and how rows are taken out without the application ever waiting. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import mysql from 'mysql2/promise';
import { createPool, type Pool, transaction } from '#database';
import type { EventDefinition, RowRemoval, SourceReader } from '#outbox';
import { silentLogger, systemClock } from '#runtime';
import { createTestDatabase, type TestDatabase, testDatabaseOptions } from '#testkit';
import { archiveTableSql, createSourceReader, maintainArchive } from './index.ts';

const LIMITS = { rowsMax: 500, bytesMax: 1_000_000 };
const EVENT: EventDefinition = {
  idColumn: 'id',
  routeColumn: 'aggregatetype',
  topicPrefix: 'outbox.event.',
  payloadColumn: 'payload',
  tracingColumn: { column: 'tracingspancontext', required: false },
  headersColumn: { column: 'headers', required: false },
  recordKeyColumn: { column: 'recordkey', required: false },
  topicColumn: { column: 'topic', required: false },
  headerColumns: [],
  archive: null,
};
const SOURCE = {
  name: 'app',
  watermarkColumn: 'seq',
  columns: null,
  keyColumn: 'aggregateid',
  topic: null,
  topicColumn: null,
};
/** As Debezium's documentation has it, and the column that keeps the order. */
const LEAST = `CREATE TABLE least (id CHAR(36) NOT NULL PRIMARY KEY, aggregatetype VARCHAR(255) NOT NULL,
  aggregateid VARCHAR(255) NOT NULL, type VARCHAR(255) NOT NULL, payload JSON, seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE)`;
const MOST = `CREATE TABLE most (seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, id BINARY(16), aggregatetype VARCHAR(255),
  aggregateid BIGINT, type VARCHAR(255), payload LONGBLOB, tracingspancontext TEXT, headers TEXT, recordkey VARBINARY(99), topic VARCHAR(249))`;

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_consume_reader' });
  pool = createPool(testDatabaseOptions(database));
  await pool.run(LEAST);
  await pool.run(MOST);
});

after(async () => {
  await pool.close();
  await database.drop();
});

beforeEach(async () => {
  for (const table of ['least', 'most']) await pool.run(`DELETE FROM ${table}`);
});

const open = (table: string, event: Partial<EventDefinition> = {}): Promise<SourceReader> =>
  createSourceReader({
    pool,
    source: { ...SOURCE, table, event: { ...EVENT, ...event } },
    gapMode: 'locks',
    logger: silentLogger,
  });

const removalOf = (reader: SourceReader): RowRemoval => reader.removal as RowRemoval;

/** Without positions, which differ from run to run. */
async function read(reader: SourceReader) {
  const { rows } = await reader.readAfter(0n, LIMITS);
  return rows.map(({ eventId, topic, key, value, headers }) => ({
    eventId,
    topic,
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers,
  }));
}

test('the least table: topic of the aggregate type, key of its id, the payload as it is, header id', async () => {
  await pool.run(`INSERT INTO least (id, aggregatetype, aggregateid, type, payload) VALUES
    ('u1', 'order', '17', 'Placed', '{"b": 1,  "a":2}'), ('u2', 'order', '17', 'Gone', NULL)`);
  // MariaDB keeps JSON as it was written, MySQL in an order and with spaces of its own.
  const value = (await pool.engine()).kind === 'mysql' ? '{"a": 2, "b": 1}' : '{"b": 1,  "a":2}';
  assert.deepEqual(await read(await open('least')), [
    { eventId: 'u1', topic: 'outbox.event.order', key: '17', value, headers: null },
    { eventId: 'u2', topic: 'outbox.event.order', key: '17', value: null, headers: null },
  ]);
});

test('placed columns, own headers, trace context, own key and topic, binary ids', async () => {
  const reader = await open('most', { headerColumns: [{ column: 'type', header: 'eventType' }], topicPrefix: 'p-' });
  await pool.run(
    `INSERT INTO most (id, aggregatetype, aggregateid, type, payload, tracingspancontext, headers, recordkey, topic) VALUES
    (UNHEX('0af7651916cd43dd8448eb211c80319c'), 'a', 5, 'T', X'00ff', 'traceparent=00-0af7-b7-01\\ntracestate=x=y\\nother=z\\n', '{"h":"1","n":2,"none":null}', 'k', 'own'),
    (NULL, 'a', 6, NULL, 'x', NULL, '{broken', NULL, NULL), (NULL, NULL, 7, NULL, '', '', '', NULL, NULL)`,
  );
  const [first, second, third] = await read(reader);
  assert.deepEqual(first, {
    eventId: '0af76519-16cd-43dd-8448-eb211c80319c',
    topic: 'own',
    key: 'k',
    value: Buffer.from([0, 255]).toString(),
    headers: { traceparent: '00-0af7-b7-01', tracestate: 'x=y', eventType: 'T', h: '1', n: '2' },
  });
  assert.match(second?.eventId ?? '', /^app:\d+$/);
  assert.deepEqual(
    { ...second, eventId: '' },
    { eventId: '', topic: 'p-a', key: '6', value: 'x', headers: { headers: '{broken' } },
  );
  assert.equal(third?.topic, '', 'no aggregate type: the sender judges the row');
  assert.equal(third?.value, '');
});

test('a named column that is missing, and a table that cannot be deleted from, are told at the start', async () => {
  await assert.rejects(open('least', { headersColumn: { column: 'headers', required: true } }), { code: 'DB_SCHEMA' });
  await assert.rejects(open('least', { payloadColumn: 'body' }), { code: 'DB_SCHEMA' });
  await pool.run(LEAST.replace('least', 'isam'));
  await pool.run('ALTER TABLE isam ENGINE=MyISAM');
  await assert.rejects(
    createSourceReader({
      pool,
      source: { ...SOURCE, table: 'isam', event: EVENT },
      gapMode: 'time',
      logger: silentLogger,
    }),
    { code: 'DB_UNSUPPORTED' },
  );
});

test('rows are taken out with the transaction, and one that is gone already says so', async () => {
  const reader = await open('least');
  await pool.run(
    "INSERT INTO least (id, aggregatetype, aggregateid, type) VALUES ('a','t','1','x'),('b','t','1','x'),('c','t','1','x')",
  );
  const positions = (await reader.readAfter(0n, LIMITS)).rows.map(({ position }) => position);
  const take = (some: readonly bigint[]) => transaction(pool, (session) => removalOf(reader).remove(session, some));
  await assert.rejects(
    transaction(pool, async (session) => {
      assert.equal(await removalOf(reader).remove(session, positions), true);
      throw new Error('rolled back');
    }),
  );
  assert.equal((await read(reader)).length, 3);
  assert.equal(await take(positions.slice(0, 2)), true);
  assert.equal(await removalOf(reader).lowestPosition(), positions[2]);
  assert.equal(await take(positions.slice(1)), false);
});

test('more rows than one statement takes', async () => {
  const reader = await open('least');
  const values = Array.from({ length: 1_700 }, (_, n) => [`id${n}`, 't', '1', 'x']);
  await pool.run('INSERT INTO least (id, aggregatetype, aggregateid, type) VALUES ?', [values]);
  const { rows } = await reader.readAfter(0n, { rowsMax: 2_000, bytesMax: 1_000_000 });
  const positions = rows.map(({ position }) => position);
  assert.equal(await transaction(pool, (session) => removalOf(reader).remove(session, positions)), true);
  assert.equal(await removalOf(reader).lowestPosition(), null);
});

async function connectApplication(): Promise<mysql.Connection> {
  const { name, drop: _drop, ...address } = database;
  const connection = await mysql.createConnection({ ...address, database: name });
  await connection.query('SET SESSION innodb_lock_wait_timeout = 1');
  return connection;
}

for (const table of ['least', 'most']) {
  test(`taking rows out of ${table} waits for no open transaction, and none waits for it`, async () => {
    const reader = await open(table);
    const application = await connectApplication();
    const insert = (id: string) =>
      application.query(`INSERT INTO ${table} (id, aggregatetype, aggregateid, type) VALUES ('${id}', 't', '1', 'x')`);
    await insert('one');
    await application.query('START TRANSACTION');
    await insert('open');
    await insert('open too');
    const positions = (await reader.readAfter(0n, LIMITS)).rows.map(({ position }) => position);
    assert.equal(positions.length, 1);
    const startedMs = systemClock.nowMs();
    await transaction(pool, async (session) => {
      await session.run('SET SESSION innodb_lock_wait_timeout = 1');
      assert.equal(await removalOf(reader).remove(session, positions), true);
      // Its neighbours, before and behind, while ours is not committed yet.
      await insert('beside');
    });
    await application.query('COMMIT');
    assert.ok(systemClock.nowMs() - startedMs < 1_000);
    assert.equal((await reader.readAfter(0n, LIMITS)).rows.length, 3);
    await application.end();
  });
}

test('rows taken out go to the archive in the same transaction; days are made ahead and dropped as partitions', async () => {
  const archive = { table: 'least_archive', retentionMs: 2 * 86_400_000 };
  await assert.rejects(open('least', { archive }), { code: 'DB_SCHEMA' });
  await pool.run(archiveTableSql('least_archive', 'least'));
  const days = (n: number) =>
    pool.query<{ name: string }>('SELECT DATE_FORMAT(UTC_DATE() + INTERVAL ? DAY, "p%Y%m%d") AS name', [n]);
  const nameOf = async (n: number) => (await days(n))[0]?.name as string;
  const ahead = await Promise.all([0, 1, 2, 3, 4].map(nameOf));
  assert.deepEqual(await maintainArchive(pool, archive), { made: ahead, dropped: [] });
  assert.deepEqual(await maintainArchive(pool, archive), { made: [], dropped: [] });

  const reader = await open('least', { archive });
  await pool.run(
    "INSERT INTO least (id, aggregatetype, aggregateid, type, payload) VALUES ('a','t','1','x','{}'),('b','t','2','y',NULL)",
  );
  const positions = (await reader.readAfter(0n, LIMITS)).rows.map(({ position }) => position);
  await assert.rejects(
    transaction(pool, async (session) => {
      assert.equal(await removalOf(reader).remove(session, positions), true);
      throw new Error('rolled back');
    }),
  );
  const archived = () =>
    pool.query<{ id: string; type: string }>('SELECT id, type FROM least_archive ORDER BY archive_id');
  assert.deepEqual(await archived(), []);
  await transaction(pool, (session) => removalOf(reader).remove(session, positions));
  assert.deepEqual(await archived(), [
    { id: 'a', type: 'x' },
    { id: 'b', type: 'y' },
  ]);
  const [today] = await pool.query(`SELECT id FROM least_archive PARTITION (${await nameOf(0)})`);
  assert.ok(today);

  // Five days later, as if: the day's rows are put where they would be by then.
  const [first, second] = [await nameOf(-3), await nameOf(-2)];
  await pool.run('DROP TABLE least_archive');
  await pool.run(archiveTableSql('least_archive', 'least'));
  await pool.run(
    `ALTER TABLE least_archive REORGANIZE PARTITION pmax INTO (
      PARTITION ${first} VALUES LESS THAN ('${dashed(second)}'), PARTITION ${second} VALUES LESS THAN ('${dashed(await nameOf(-1))}'),
      PARTITION pmax VALUES LESS THAN (MAXVALUE))`,
  );
  await pool.run(
    `INSERT INTO least_archive (archived_on, id, aggregatetype, aggregateid, type, seq) VALUES ('${dashed(first)}','old','t','1','x',1), ('${dashed(second)}','kept','t','1','x',2)`,
  );
  assert.deepEqual((await maintainArchive(pool, archive)).dropped, [first]);
  assert.deepEqual(
    (await archived()).map(({ id }) => id),
    ['kept'],
  );

  await pool.run('ALTER TABLE least ADD COLUMN more INT NULL');
  await assert.rejects(open('least', { archive }), /least_archive lacks more of least/);
  await pool.run('ALTER TABLE least DROP COLUMN more');
});

/** `p20260102` -> `2026-01-02`. */
const dashed = (partition: string): string => `${partition.slice(1, 5)}-${partition.slice(5, 7)}-${partition.slice(7)}`;

test('a column of the events that is dropped stops the source, also one that need not be there, and so does it when opened anew', async () => {
  await pool.run(MOST.replace('TABLE most', 'TABLE losing'));
  const reader = await open('losing');
  const { columns = [] } = reader;
  assert.ok(columns.some(({ name }) => name === 'headers'));
  const gone = { code: 'SOURCE_COLUMNS_GONE', message: /headers/ };
  await pool.run('ALTER TABLE losing DROP COLUMN headers');
  await assert.rejects(reader.readAfter(0n, LIMITS), gone);
  const source = { ...SOURCE, table: 'losing', event: EVENT };
  const options = { pool, source, gapMode: 'locks', logger: silentLogger } as const;
  await assert.rejects(createSourceReader({ ...options, delivered: columns }), gone);
  await createSourceReader({ ...options, delivered: null });
  await pool.run('ALTER TABLE losing ADD COLUMN headers TEXT, RENAME COLUMN payload TO body');
  await assert.rejects(createSourceReader({ ...options, delivered: columns }), { ...gone, message: /payload/ });
  await assert.rejects(createSourceReader({ ...options, delivered: null }), { code: 'DB_SCHEMA' });
});
