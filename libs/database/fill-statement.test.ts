/** Values of our own sessions: no escaping, each byte as it was given, on a server that is set up against us. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { RelayError } from '#runtime';
import { createTestDatabase, startMariadb, type TestDatabase, testDatabaseOptions } from '#testkit';
import { fillStatement } from './fill-statement.ts';
import { createPool, type Pool, type SqlValue } from './index.ts';

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_fill' });
  pool = createPool({ ...testDatabaseOptions(database), connectionsMax: 1 });
  await pool.run(
    'CREATE TABLE t (n INT PRIMARY KEY, v TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, b LONGBLOB, `what?` INT)',
  );
});

after(async () => {
  await pool?.close();
  await database?.drop();
});

const ATTACKS = [
  'dq"dq',
  'back\\slash',
  "O'Brien",
  "\\' OR 1=1 -- ",
  "縗' OR 1=1 -- ",
  'a\0b',
  '? ?? :x',
  '😀',
  '',
  ' a ',
];

test('literals are ASCII, one for each placeholder outside of quotes', () => {
  assert.equal(
    fillStatement('SELECT ?, `a?`, \'?\', "?", ?', ["a'", 5n]),
    "SELECT _utf8mb4 X'6127', `a?`, '?', \"?\", 5",
  );
  const all: SqlValue[] = [
    null,
    true,
    -1.5,
    Buffer.from([0, 255]),
    [1, 'a'],
    [
      ['a', 1],
      ['b', 2],
    ],
  ];
  assert.equal(
    fillStatement('? ? ? ? (?) ?', all),
    "NULL TRUE -1.5 _binary X'00ff' (1, _utf8mb4 X'61') (_utf8mb4 X'61', 1), (_utf8mb4 X'62', 2)",
  );
});

test('what has no literal is refused', () => {
  const refused: [string, readonly unknown[], string][] = [
    ['?', [undefined], 'INTERNAL'],
    ['?', [{ a: 1 }], 'INTERNAL'],
    ['?', [new Date(0)], 'INTERNAL'],
    ['?', [[]], 'INTERNAL'],
    ['?', [[[[1]]]], 'INTERNAL'],
    ['?', [Number.NaN], 'INTERNAL'],
    ['?', [Number.POSITIVE_INFINITY], 'INTERNAL'],
    ['?', [1, 2], 'INTERNAL'],
    ['? ?', [1], 'INTERNAL'],
    ['?', ['a\ud800'], 'DB_ROW_REFUSED'],
  ];
  for (const [sql, values, code] of refused) {
    const isCode = (thrown: unknown) => thrown instanceof RelayError && thrown.code === code;
    assert.throws(() => fillStatement(sql, values as SqlValue[]), isCode, `${sql} ${String(values[0])}`);
  }
});

test('each byte is stored and found, by text and by prepared statement', async () => {
  for (const way of ['run', 'runPrepared'] as const) {
    await pool.run('DELETE FROM t');
    await pool.use(async (session) => {
      for (const [n, attack] of ATTACKS.entries()) {
        await session[way]('INSERT INTO t (n, v, b, `what?`) VALUES (?, ?, ?, ?)', [n, attack, Buffer.from(attack), n]);
      }
    });
    for (const [n, attack] of ATTACKS.entries()) {
      const rows = await pool.query('SELECT n, v, b FROM t WHERE v = ? AND b = ?', [attack, Buffer.from(attack)]);
      assert.deepEqual(rows, [{ n, v: attack, b: Buffer.from(attack) }], `${way}: ${attack}`);
    }
    assert.equal((await pool.query('SELECT n FROM t WHERE v IN (?)', [ATTACKS])).length, ATTACKS.length);
  }
});

test('a text with half of a surrogate pair is refused, and the session goes on', async () => {
  await pool.use(async (session) => {
    const isRefused = (thrown: unknown) => thrown instanceof RelayError && thrown.code === 'DB_ROW_REFUSED';
    const sql = 'INSERT INTO t (n, v) VALUES (?, ?)';
    for (const way of ['run', 'runPrepared'] as const) {
      await session[way](sql, [100, 'a\udc00']).then(
        () => assert.fail('it was stored'),
        (thrown: unknown) => assert.ok(isRefused(thrown), String(thrown)),
      );
    }
    assert.equal((await session.query('SELECT n FROM t WHERE n = 100')).length, 0);
    assert.equal(session.broken, false);
  });
});

test('a server that is set up against us changes nothing', async (t) => {
  const server = await startMariadb({
    bufferPoolMb: 32,
    args: [
      '--sql-mode=ANSI,NO_BACKSLASH_ESCAPES',
      '--character-set-server=latin1',
      '--skip-character-set-client-handshake',
      '--init-connect=SET NAMES gbk',
    ],
  });
  t.after(() => server.stop());
  const { host, port, user, password } = server;
  const admin = await mysql.createConnection({ host, port, user, password });
  t.after(() => admin.end());
  // The server runs init_connect for users without further rights only.
  for (const sql of [
    'CREATE DATABASE plain',
    "CREATE USER 'plain'@'%' IDENTIFIED BY 'x', 'plain'@'localhost' IDENTIFIED BY 'x'",
    "GRANT ALL ON plain.* TO 'plain'@'%', 'plain'@'localhost'",
  ]) {
    await admin.query(sql);
  }
  const where = { ...testDatabaseOptions(database), host, port, user: 'plain', password: 'x', database: 'plain' };
  const against = createPool({ ...where, connectionsMax: 1 });
  t.after(() => against.close());
  const [names] = await against.query(
    'SELECT @@character_set_client AS c, @@character_set_results AS r, @@collation_connection AS k',
  );
  assert.deepEqual(names, { c: 'utf8mb4', r: 'utf8mb4', k: 'utf8mb4_general_ci' });
  await against.run('CREATE TABLE t (n INT PRIMARY KEY, v TEXT CHARACTER SET utf8mb4, b LONGBLOB)');
  const insert = 'INSERT INTO t (n, v, b) VALUES (?, ?, ?)';
  for (const charset of ['latin1', 'gbk', 'sjis', 'utf8mb4']) {
    await against.run(`SET NAMES ${charset}`);
    await against.use(async (session) => {
      for (const [n, attack] of ATTACKS.entries()) {
        const way = charset === 'utf8mb4' ? 'runPrepared' : 'run';
        await session[way](insert, [n, attack, Buffer.from(attack)]);
      }
    });
    await against.run('SET NAMES utf8mb4');
    const rows = await against.query('SELECT v FROM t ORDER BY n');
    assert.deepEqual(
      rows.map(({ v }) => v),
      ATTACKS,
      charset,
    );
    await against.run('DELETE FROM t');
  }
});
