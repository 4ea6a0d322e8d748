/** What was given up here ends at the server, by a second session or by the session's own limits, and nobody else's work does. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTestDatabase, type TestDatabase, testDatabaseOptions, until } from '#testkit';
import { StatementEnder } from './end-statement.ts';
import { createPool, type DatabaseOptions, openSession, type Pool, type Session } from './index.ts';
import { ServerMemory } from './open-session.ts';

const DEADLINE_MS = 10_000;
const MARK = 'given-up-here';
let database: TestDatabase;
let admin: Pool;
let application: Session;
let options: DatabaseOptions;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_given_up' });
  options = testDatabaseOptions(database);
  admin = createPool(options);
  application = await openSession(options);
  await admin.run('CREATE TABLE orders (id INT PRIMARY KEY) ENGINE=InnoDB');
});

after(async () => {
  await application?.close();
  await admin?.close();
  await database?.drop();
});

const running = async (): Promise<number> => {
  const sql = 'SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = ? AND INFO LIKE ?';
  const [row] = await admin.query<{ n: string }>(sql, [database.name, `SELECT /* ${MARK}%`]);
  return Number(row?.n);
};

for (const [what, statement] of [
  ['waits for a metadata lock', `SELECT /* ${MARK} */ id FROM orders`],
  ['works on', `SELECT /* ${MARK} */ SLEEP(60)`],
] as const) {
  test(`a statement that ${what} when its deadline is over is killed`, async () => {
    const pool = createPool({ ...options, readTimeoutMs: 300, connectionsMax: 3 });
    await application.run('LOCK TABLES orders WRITE');
    try {
      const asked = Array.from({ length: 3 }, () =>
        assert.rejects(pool.query(statement), { code: 'DEADLINE_EXCEEDED' }),
      );
      await Promise.all(asked);
      await until('all to be killed', () => pool.statementsEnded === 3, DEADLINE_MS);
      await until('none to run', async () => (await running()) === 0, DEADLINE_MS);
    } finally {
      await application.run('UNLOCK TABLES');
      await pool.close();
    }
  });
}

test('a server that cannot be asked to ends them by itself', async () => {
  const alone = { ...options, readTimeoutMs: 300 };
  await application.run('LOCK TABLES orders WRITE');
  try {
    for (const statement of [`SELECT /* ${MARK} */ SLEEP(60)`, `SELECT /* ${MARK} */ id FROM orders`]) {
      const session = await openSession(alone, new ServerMemory(), null);
      await assert.rejects(session.query(statement), { code: 'DEADLINE_EXCEEDED' });
      await until('it to end', async () => (await running()) === 0, DEADLINE_MS);
    }
  } finally {
    await application.run('UNLOCK TABLES');
  }
});

test('a connection that has the same number and is another one is left alone', async () => {
  const other = await openSession(options);
  const [row] = await other.query<{ id: string; client: string }>(
    'SELECT ID AS id, HOST AS client FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()',
  );
  const ender = new StatementEnder(options, (own) => openSession(own, new ServerMemory(), null));
  const own = { threadId: Number(row?.id), server: other.server, client: String(row?.client), sql: 'SELECT 1' };
  for (const change of [{ client: '127.0.0.1:1' }, { server: 'another/3306/1/' }, { client: 'localhost' }]) {
    ender.end({ ...own, ...change });
    await ender.settled(DEADLINE_MS);
  }
  assert.equal(ender.ended, 0);
  assert.equal((await other.query('SELECT 1')).length, 1);
  ender.end(own);
  await ender.settled(DEADLINE_MS);
  assert.equal(ender.ended, 1);
  await until('its end', () => other.broken, DEADLINE_MS);
});
