/** Sessions, pool and transactions against a real server. */
import assert from 'node:assert/strict';
import { createServer, type Server, Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { RelayError, systemClock } from '#runtime';
import { numbersSql } from '#testkit';
import {
  createPool,
  type DatabaseOptions,
  openSession,
  type Pool,
  readBounded,
  retryTransient,
  transaction,
} from './index.ts';

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: this test needs a database server`);
  return value;
}

const options: DatabaseOptions = {
  host: need('KRS_TEST_DB_HOST'),
  port: Number(need('KRS_TEST_DB_PORT')),
  user: need('KRS_TEST_DB_USER'),
  password: need('KRS_TEST_DB_PASSWORD'),
  database: null,
  connectTimeoutMs: 5_000,
  readTimeoutMs: 5_000,
  ssl: null,
  applicationName: 'database-test',
};
const schema = `krs_database_${process.pid}_${Date.now().toString(36)}`;
let pool: Pool;

const code = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof RelayError, String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

before(async () => {
  const setUp = createPool(options);
  await setUp.run(`CREATE DATABASE ${schema}`);
  await setUp.close();
  pool = createPool({ ...options, database: schema, connectionsMax: 3 });
  await pool.run('CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, v VARCHAR(10)) ENGINE=InnoDB');
});

after(async () => {
  await pool.run(`DROP DATABASE ${schema}`);
  await pool.close();
});

/** A proxy whose answers can be withheld, to lose exactly the one after a given statement. */
async function startProxy(): Promise<{ server: Server; port: number; mute: (after: RegExp) => void }> {
  let muteAfter: RegExp | null = null;
  const server = createServer((client) => {
    const upstream = new Socket().connect(options.port, options.host);
    let muted = false;
    client.on('data', (chunk) => {
      if (muteAfter?.test(chunk.toString('latin1'))) muted = true;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (muted) client.destroy();
      else client.write(chunk);
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return {
    server,
    port: address.port,
    mute: (after) => {
      muteAfter = after;
    },
  };
}

test('a session has the settings the protocol relies on', async () => {
  const [row] = await pool.query(
    'SELECT @@autocommit AS a, @@sql_mode AS m, @@time_zone AS z, @@innodb_lock_wait_timeout AS w, @@character_set_client AS c',
  );
  const [isolation] = await pool.query<{ Value: string }>(
    "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')",
  );
  assert.equal(isolation?.Value, 'READ-COMMITTED');
  assert.deepEqual(row, {
    a: '1',
    m: 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
    z: '+00:00',
    w: '3',
    c: 'utf8mb4',
  });
  const engine = await pool.engine();
  assert.ok(['mariadb', 'mysql'].includes(engine.kind), engine.kind);
  assert.ok(engine.statementBytesMax >= 1_048_576);
});

test('work that belongs to one server is refused on another', async () => {
  const server = await pool.server();
  const same = pool.onServer(server);
  assert.equal(pool.onServer(server), same);
  assert.equal((await same.query('SELECT 1')).length, 1);
  const other = pool.onServer('another/3306/7/');
  for (const refused of [
    () => other.query('SELECT 1'),
    () => transaction(other, async () => 1),
    () => other.engine(),
  ]) {
    await assert.rejects(refused, code('DB_UNREACHABLE'));
  }
  assert.equal(pool.onServer(null), pool);
});

test('64-bit integers come back exactly', async () => {
  await pool.run('INSERT INTO t VALUES (?, ?)', [18_446_744_073_709_551_615n, 'max']);
  assert.deepEqual(await pool.query('SELECT id FROM t WHERE v = ?', ['max']), [{ id: '18446744073709551615' }]);
  assert.deepEqual(await pool.query('SELECT v FROM t WHERE id = ?', [18_446_744_073_709_551_615n]), [{ v: 'max' }]);
});

test('faults get their codes, without SQL text or values', async () => {
  await assert.rejects(pool.query('SELECT * FROM missing'), code('DB_SCHEMA'));
  await assert.rejects(pool.query('SELECT missing FROM t'), code('DB_SCHEMA'));
  await assert.rejects(pool.run('INSERT INTO t VALUES (1, ?)', ['secret-value-too-long']), (error: unknown) => {
    code('DB_ROW_REFUSED')(error);
    const seen = JSON.stringify(error, Object.getOwnPropertyNames(error)) + (error as Error).message;
    assert.ok(!seen.includes('secret'), seen);
    return true;
  });
  await assert.rejects(pool.query('SELEKT 1'), code('INTERNAL'));
  await assert.rejects(openSession({ ...options, password: 'wrong' }), code('DB_REFUSED'));
  await assert.rejects(openSession({ ...options, database: 'krs_no_such_database' }), code('DB_SCHEMA'));
  await assert.rejects(openSession({ ...options, port: 1 }), code('DB_UNREACHABLE'));
});

test('a statement past its deadline costs the connection and nothing else', async () => {
  const short = createPool({ ...options, readTimeoutMs: 200, connectionsMax: 1 });
  const [first] = await short.query<{ id: string }>('SELECT CONNECTION_ID() AS id');
  await assert.rejects(short.query('SELECT SLEEP(5)'), code('DEADLINE_EXCEEDED'));
  const [second] = await short.query<{ id: string }>('SELECT CONNECTION_ID() AS id');
  assert.notEqual(second?.id, first?.id);
  await short.close();
});

test('a killed connection is DB_UNREACHABLE, and the pool opens another', async () => {
  const one = createPool({ ...options, connectionsMax: 1 });
  const [me] = await one.query<{ id: string }>('SELECT CONNECTION_ID() AS id');
  const running = assert.rejects(one.query('SELECT SLEEP(5)'), code('DB_UNREACHABLE'));
  await pool.run(`KILL ${me?.id}`);
  await running;
  assert.equal((await one.query('SELECT 1 AS one')).length, 1);
  await one.close();
});

test('a transaction rolls back on a fault and the session stays usable', async () => {
  const before = (await pool.query('SELECT id FROM t')).length;
  await assert.rejects(
    transaction(pool, async (session) => {
      await session.run("INSERT INTO t VALUES (100, 'x')");
      await session.run("INSERT INTO t VALUES (100, 'x')");
    }),
    code('INTERNAL'),
  );
  assert.equal((await pool.query('SELECT id FROM t')).length, before);
});

test('a COMMIT whose answer is lost is DB_COMMIT_UNKNOWN, and it did commit', async (t) => {
  const proxy = await startProxy();
  const through = createPool({ ...options, port: proxy.port, database: schema });
  t.after(async () => {
    await through.close();
    proxy.server.close();
  });
  proxy.mute(/COMMIT$/);
  await assert.rejects(
    transaction(through, (session) => session.run("INSERT INTO t VALUES (200, 'sent')")),
    code('DB_COMMIT_UNKNOWN'),
  );
  assert.equal((await pool.query('SELECT id FROM t WHERE id = 200')).length, 1);
});

test('an INSERT whose answer is lost is a plain fault, and nothing was written', async (t) => {
  const proxy = await startProxy();
  const through = createPool({ ...options, port: proxy.port, database: schema });
  t.after(async () => {
    await through.close();
    proxy.server.close();
  });
  proxy.mute(/INSERT/);
  await assert.rejects(
    transaction(through, (session) => session.run("INSERT INTO t VALUES (201, 'sent')")),
    code('DB_UNREACHABLE'),
  );
  // A locking read waits for the server to notice the lost connection and roll back.
  assert.equal((await pool.query('SELECT id FROM t WHERE id = 201 LOCK IN SHARE MODE')).length, 0);
});

test('the locks of a process that rests inside a transaction are freed by the server', async () => {
  await pool.run("INSERT INTO t VALUES (300, 'free')");
  const paused = await openSession({ ...options, database: schema });
  await paused.run('START TRANSACTION');
  await paused.run("UPDATE t SET v = 'held' WHERE id = 300");
  const ended = new Promise<void>((resolve) => paused.whenBroken(() => resolve()));
  await ended;
  assert.equal((await pool.run("UPDATE t SET v = 'mine' WHERE id = 300 AND v = 'free'")).affectedRows, 1);
});

test('retryTransient runs a deadlocked transaction again, and stops at its bound', async () => {
  let runs = 0;
  const random = () => 0;
  const done = await retryTransient(
    async () => {
      runs += 1;
      if (runs < 3) throw new RelayError('DB_TRANSIENT', 'deadlock');
      return runs;
    },
    { clock: systemClock, random },
  );
  assert.equal(done, 3);
  await assert.rejects(
    retryTransient(() => Promise.reject(new RelayError('DB_TRANSIENT', 'deadlock')), {
      clock: systemClock,
      random,
      attemptsMax: 2,
    }),
    code('DB_TRANSIENT'),
  );
});

test('readBounded keeps the first rows within rows and bytes, and says when it is full', async () => {
  const sql = `SELECT seq AS n, REPEAT(?, 1000) AS body FROM ${numbersSql(50)}`;
  const read = (rowsMax: number, bytesMax: number) =>
    pool.use((session) =>
      readBounded<{ n: string; body: string }>(session, sql, ['x'], {
        rowsMax,
        bytesMax,
        sizeOf: (row) => row.body.length,
      }),
    );
  const byBytes = await read(100, 10_500);
  assert.deepEqual([byBytes.rows.length, byBytes.full, byBytes.dropped], [10, true, 40]);
  const byRows = await read(7, 1_000_000);
  assert.deepEqual([byRows.rows.length, byRows.full], [7, true]);
  const first = await read(100, 1);
  assert.equal(first.rows.length, 1);
  const all = await read(100, 1_000_000);
  assert.deepEqual([all.rows.length, all.full], [50, false]);
});

test('the pool serves more callers than it has connections, and closes for good', async () => {
  const small = createPool({ ...options, connectionsMax: 2 });
  const ids = await Promise.all(
    Array.from({ length: 20 }, () => small.query<{ id: string }>('SELECT CONNECTION_ID() AS id, SLEEP(0.01)')),
  );
  assert.equal(new Set(ids.map((rows) => rows[0]?.id)).size, 2);
  await small.close();
  await assert.rejects(small.query('SELECT 1'), code('STOPPED'));
});
