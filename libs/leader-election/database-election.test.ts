/** The database election against a real server: locks end with their session. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import mysql from 'mysql2/promise';
import { createDatabaseElection, type LockSession } from '#leader-election';
import { RelayError, silentLogger } from '#runtime';
import { electionContract, testEnvironment, until } from '#testkit';

const prefix = `krs-test-${process.pid}`;
const DEAF = { ring: () => undefined };
const opened: mysql.Connection[] = [];

async function connect(): Promise<LockSession> {
  const connection = await mysql.createConnection({ ...testEnvironment().database });
  connection.on('error', () => undefined);
  opened.push(connection);
  return {
    query: async (sql, values) => {
      const [rows] = await connection.query<mysql.RowDataPacket[]>(sql, [...values]);
      return rows;
    },
    close: async () => connection.destroy(),
  };
}

function candidate(doorbell: Parameters<typeof createDatabaseElection>[0]['doorbell'] = DEAF) {
  const timing = { checkIntervalMs: 100, queryDeadlineMs: 1000 };
  return createDatabaseElection({ connect, prefix, ...timing, logger: silentLogger, doorbell });
}

electionContract({
  name: 'database',
  lapseMs: 1000,
  candidate: (doorbell) => candidate(doorbell),
  leaderToKill: async (source) => {
    const leader = candidate();
    assert.ok(await leader.tryAcquire(source));
    const connection = opened.at(-1);
    return { kill: () => connection?.destroy() };
  },
});

test('a session that the server ends aborts the signal, and the lock is free', async () => {
  const [first, second] = [candidate(), candidate()];
  const source = `cut_${process.pid}`;
  const term = await first.tryAcquire(source);
  assert.ok(term);
  const session = opened.at(-1)?.threadId;
  assert.equal(await second.tryAcquire(source), null);
  const admin = await connect();
  await admin.query(`KILL ${Number(session)}`, []);
  await until('the signal to abort', () => term.signal.aborted, 2000);
  assert.ok(term.signal.reason instanceof RelayError);
  await until('the other one to lead', () => second.tryAcquire(source), 2000);
  await Promise.all([first.close(), second.close(), admin.close()]);
});

test('a database that cannot be reached elects nobody and throws nothing', async () => {
  const refused = () => Promise.reject(new RelayError('DB_UNREACHABLE', 'no server'));
  const timing = { checkIntervalMs: 100, queryDeadlineMs: 1000 };
  const alone = createDatabaseElection({ connect: refused, prefix, ...timing, logger: silentLogger, doorbell: DEAF });
  assert.equal(await alone.tryAcquire('nobody'), null);
  await alone.close();
});
