/** The test server under other names: the same engine, the same sessions. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { failOnLeaks, startRenamingProxy, testEnvironment } from '#testkit';
import { detectEngine } from './detect-engine.ts';
import type { Engine } from './engine.ts';
import { createPool, type DatabaseOptions } from './index.ts';
import { openSession } from './open-session.ts';
import { askVariables } from './question-server.ts';
import { mariadbComments, mariadbVariables, mysqlComments, mysqlVariables, serverByHand } from './server-by-hand.ts';

failOnLeaks();

const given: DatabaseOptions = {
  ...testEnvironment().database,
  database: null,
  connectTimeoutMs: 10_000,
  readTimeoutMs: 10_000,
  ssl: null,
};
let direct: Engine;

before(async () => {
  const pool = createPool(given);
  direct = await pool.engine();
  await pool.close();
});

const numberOf = ({ major, minor, patch }: Engine): string => `${major}.${minor}.${patch}`;

describe('whatever the server calls itself', () => {
  for (const names of [
    { version: '8.0.41-google', comment: '(Google)' },
    { version: '8.0.41-google', comment: '' },
    { version: '5.7.12', comment: 'Homebrew' },
    { version: '5.5.5-8.0.39', comment: 'maxscale' },
    { version: '8.0.36-28', comment: 'Percona Server (GPL), Release 28' },
    { version: '8.0.11-TiDB-v7.5.1', comment: 'TiDB Server' },
    { version: '5.7.32', comment: 'SingleStoreDB source distribution' },
    { version: '10.2.1-MariaDB', comment: 'mariadb.org binary distribution' },
  ]) {
    test(`as ${names.version} ${names.comment}`, async () => {
      const proxy = await startRenamingProxy(names);
      const pool = createPool({ ...given, host: proxy.host, port: proxy.port, connectionsMax: 2 });
      try {
        const engine = await pool.engine();
        assert.deepEqual([engine.kind, engine.version], [direct.kind, names.version]);
        assert.equal(numberOf(engine), numberOf(direct));
        assert.ok(engine.name.startsWith(`${direct.kind} ${numberOf(direct)}, which calls itself "${names.version}`));
        // Two sessions at once: the second is set up from what the first has found out.
        const waits = await pool.use(async (first) =>
          pool.use(async (second) => {
            assert.notEqual(second.threadId, first.threadId);
            assert.equal(second.engine.name, engine.name);
            return second.query('SELECT @@innodb_lock_wait_timeout AS seconds');
          }),
        );
        assert.deepEqual(waits, [{ seconds: '5' }]);
      } finally {
        await pool.close();
        await proxy.stop();
      }
    });
  }
});

describe('the model of the servers that cannot be run', () => {
  let real: Awaited<ReturnType<typeof openSession>>;

  before(async () => {
    real = await openSession(given);
  });
  after(() => real.close());

  test('executes the comments that the real server executes, and shows its variables', async () => {
    const id = direct.major * 10_000 + direct.minor * 100 + direct.patch;
    const isMariadb = direct.kind === 'mariadb';
    const executes = isMariadb ? mariadbComments(id) : mysqlComments(id);
    for (const sort of ['!', 'M!', 'T!']) {
      for (const number of [50_000, 50_744, 80_000, 80_022, 90_000, 99_999, 100_600, id, id + 1]) {
        const [row] = await real.query<{ n: number }>(`SELECT 0 /*${sort}${number} + 1 */ AS n`);
        assert.equal(Number(row?.n), executes(sort, number) ? 1 : 0, `/*${sort}${number} */`);
      }
    }
    const variables = isMariadb ? mariadbVariables : mysqlVariables(numberOf(direct));
    assert.deepEqual(
      [...(await askVariables(real)).keys()].toSorted(),
      Object.keys(variables).toSorted(),
      'as the model shows them',
    );
    const model = { version: direct.version, executes, variables, innodbPlugin: numberOf(direct) };
    assert.equal((await detectEngine(serverByHand(model))).kind, direct.kind);
  });

  test('refuses what the real server refuses', async () => {
    for (const sql of ['SHOW VITESS_TARGET', 'SELECT 1 FROM DUAL FOR UPDATE SKIP LOCKED']) {
      const answer = async (query: (text: string) => Promise<unknown>) =>
        query(sql).then(
          () => 'answers',
          () => 'refuses',
        );
      const model = serverByHand({ version: direct.version });
      assert.equal(await answer((text) => model.query(text)), await answer((text) => real.query(text)), sql);
    }
  });
});
