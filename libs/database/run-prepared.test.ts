/** Prepared statements by packets of our own: every kind and length of value arrives as it was, errors leave the session usable. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createPool, errnoOf, openSession, type Pool, type SqlValue } from './index.ts';

const MIB = 1024 * 1024;

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this test needs a database server`);
  return value;
}

const options = {
  host: need('KRS_TEST_DB_HOST'),
  port: Number(need('KRS_TEST_DB_PORT')),
  user: need('KRS_TEST_DB_USER'),
  password: need('KRS_TEST_DB_PASSWORD'),
  connectTimeoutMs: 5_000,
  readTimeoutMs: 20_000,
  ssl: null,
  applicationName: 'prepared-test',
};
const schema = `krs_prepared_${process.pid}_${Date.now().toString(36)}`;
let pool: Pool;

before(async () => {
  const setUp = createPool({ ...options, database: null });
  await setUp.run(`CREATE DATABASE ${schema} CHARACTER SET utf8mb4`);
  await setUp.close();
  pool = createPool({ ...options, database: schema, connectionsMax: 1 });
  await pool.run('CREATE TABLE kinds (at INT PRIMARY KEY, i BIGINT, d DOUBLE, t LONGTEXT, b LONGBLOB)');
});

after(async () => {
  await pool.run(`DROP DATABASE ${schema}`);
  await pool.close();
});

const INTEGERS = [0, 1, -1, 2 ** 31, -(2 ** 31) - 1, 2 ** 32, -(2 ** 32), 2 ** 43 * 1023 + 7, 2 ** 53 - 1, 1 - 2 ** 53];
const DOUBLES = [0.5, -1e-300, 1e300, 2 ** 60];
/** Around the lengths at which the length prefix, or our way to write it, changes. */
const LENGTHS = [0, 1, 83, 84, 250, 251, 252, 65_535, 65_536, 70_000];
const TEXTS = LENGTHS.flatMap((length) => ['x'.repeat(length), 'ä'.repeat(length), '🦆'.repeat(length >> 1)]);
const INSERT = 'INSERT INTO kinds (at, i, d, t, b) VALUES (?, ?, ?, ?, ?)';

async function insert(rows: readonly (readonly SqlValue[])[]): Promise<void> {
  await pool.run('TRUNCATE kinds');
  await pool.use(async (session) => {
    for (const [at, row] of rows.entries()) {
      const { affectedRows } = await session.runPrepared(INSERT, [at, ...row]);
      assert.equal(affectedRows, 1);
    }
  });
}

test('integers to the last digit, doubles to the last bit, NULL', async () => {
  await insert([...INTEGERS.map((i) => [i, null, null, null]), ...DOUBLES.map((d) => [null, d, null, null])]);
  const found = await pool.query<{ i: number | string | null; d: number | null }>('SELECT i, d FROM kinds ORDER BY at');
  assert.deepEqual(
    found.map(({ i, d }) => (i === null ? d : Number(i))),
    [...INTEGERS, ...DOUBLES],
  );
});

test('texts and bytes of every length', async () => {
  const bytes = LENGTHS.map((length) => Buffer.alloc(length, 0xfb));
  await insert([...TEXTS.map((t) => [null, null, t, null]), ...bytes.map((b) => [null, null, null, b])]);
  const found = await pool.query<{ t: string | null; b: Buffer | null }>('SELECT t, b FROM kinds ORDER BY at');
  assert.deepEqual(
    found.slice(0, TEXTS.length).map(({ t }) => t),
    TEXTS,
  );
  assert.deepEqual(
    found.slice(TEXTS.length).map(({ b }) => b),
    bytes,
  );
});

test('many values in one statement, null bitmap and all; no values at all', async () => {
  await pool.run('TRUNCATE kinds');
  const rows = 1_000;
  const sql = `INSERT INTO kinds (at, i, d, t, b) VALUES ${Array(rows).fill('(?, ?, ?, ?, ?)').join(', ')}`;
  const values = Array.from({ length: rows }, (_, at): SqlValue[] => [
    at,
    at % 3 === 0 ? null : at,
    null,
    at % 5 === 0 ? null : `text ${at}`,
    at % 7 === 0 ? null : Buffer.from([at & 255]),
  ]);
  await pool.use(async (session) => {
    assert.equal((await session.runPrepared(sql, values.flat())).affectedRows, rows);
    const found = await session.query<{ at: number; i: unknown; t: string | null; b: Buffer | null }>(
      'SELECT at, i, t, b FROM kinds ORDER BY at',
    );
    assert.deepEqual(
      found.map(({ at, i, t, b }) => [at, i === null ? null : Number(i), null, t, b]),
      values,
    );
    assert.equal((await session.runPrepared('DELETE FROM kinds', [])).affectedRows, rows);
  });
});

test('a packet larger than the buffer that is kept, and the next small one', async () => {
  const large = Buffer.alloc(3 * MIB, 7);
  await insert([
    [1, null, null, large],
    [2, null, 'small', Buffer.from('s')],
  ]);
  const found = await pool.query<{ t: string | null; b: Buffer }>('SELECT t, b FROM kinds ORDER BY at');
  assert.equal(found[0]?.b.equals(large), true);
  assert.deepEqual([found[1]?.t, found[1]?.b.toString()], ['small', 's']);
});

test('kinds that only the driver writes go its way', async () => {
  await insert([[12345678901234567890n % 2n ** 62n, true, null, null]]);
  const [found] = await pool.query<{ i: string; d: number }>('SELECT i, d FROM kinds');
  assert.deepEqual([BigInt(found?.i ?? 0), found?.d], [12345678901234567890n % 2n ** 62n, 1]);
});

test('a refused statement and one that cannot be prepared leave the session usable', async () => {
  await insert([[1, null, null, null]]);
  // Not by the pool, which would take a failed assertion for a fault of the database.
  const session = await openSession({ ...options, database: schema });
  try {
    const twice = session.runPrepared(INSERT, [0, 1, null, null, null]);
    await assert.rejects(twice, (error) => errnoOf(error) === 1062);
    await assert.rejects(session.runPrepared('INSERT INTO nowhere VALUES (?)', [1]), { code: 'DB_SCHEMA' });
    assert.equal((await session.runPrepared('UPDATE kinds SET i = ? WHERE at = ?', [2, 0])).affectedRows, 1);
    assert.equal(session.broken, false);
  } finally {
    await session.close();
  }
});
