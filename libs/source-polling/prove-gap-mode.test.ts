/** The canary on a real server: proven, and each way of not being provable. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { createPool, type Pool } from '#database';
import { RelayError } from '#runtime';
import { createTestDatabase, type TestDatabase, testDatabaseOptions } from '#testkit';
import { CANARY_TABLE_DEFAULT, canaryTableSql, proveGapMode } from './index.ts';

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_source_gap_mode' });
  pool = createPool({ ...testDatabaseOptions(database), connectionsMax: 1 });
});

after(async () => {
  await pool.close();
  await database.drop();
});

const hostOf = async (reader: Pool): Promise<string> =>
  (await reader.query<{ user: string }>('SELECT CURRENT_USER() AS user'))[0]?.user.split('@')[1] ?? '';

const unsupported = (error: unknown): boolean => error instanceof RelayError && error.code === 'DB_UNSUPPORTED';

test('a missing canary table means time mode with the reason, and refuses the other modes', async () => {
  const proof = await proveGapMode({ pool, wanted: 'auto', canaryTable: 'no_canary' });
  assert.equal(proof.mode, 'time');
  assert.match(proof.reason, /no_canary is missing/);
  for (const wanted of ['locks', 'transactions'] as const) {
    await assert.rejects(proveGapMode({ pool, wanted, canaryTable: 'no_canary' }), unsupported);
  }
});

test('I1: modes are proven by transactions of our own, with a pool of one, and the canary table stays empty', async () => {
  await pool.run(canaryTableSql());
  await pool.run(canaryTableSql());
  for (const [wanted, mode] of [
    ['auto', 'transactions'],
    ['transactions', 'transactions'],
    ['locks', 'locks'],
  ] as const) {
    const proof = await proveGapMode({ pool, wanted });
    assert.equal(proof.mode, mode, proof.reason);
    assert.match(proof.reason, /proven on (mariadb|mysql)/);
    assert.deepEqual([proof.autoIncrementIncrement, proof.autoIncrementOffset, proof.betterBy], [1, 1, null]);
    assert.ok(proof.autoincLockMode !== null && [0, 1, 2].includes(proof.autoincLockMode));
    assert.ok((proof.lockWaitMs ?? 0) > 0);
  }
  const rows = await pool.query(`SELECT id FROM ${CANARY_TABLE_DEFAULT}`);
  assert.deepEqual(rows, [], 'it stays empty');
});

test('I1: a fault of the moment, known or not, makes no lesser mode of it', async () => {
  const fails = (errno: number) =>
    `CREATE TRIGGER canary_fails BEFORE INSERT ON ${CANARY_TABLE_DEFAULT} FOR EACH ROW SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = ${errno}`;
  for (const [errno, code] of [
    [60_001, 'DB_UNKNOWN'],
    [1290, 'DB_READ_ONLY'],
    [1114, 'DB_FULL'],
    [1317, 'DB_TRANSIENT'],
  ] as const) {
    await pool.run(fails(errno));
    await assert.rejects(proveGapMode({ pool, wanted: 'auto' }), { code });
    await pool.run('DROP TRIGGER canary_fails');
  }
  assert.equal((await proveGapMode({ pool, wanted: 'auto' })).mode, 'transactions');
});

test('many processes prove at once', async () => {
  const pools = Array.from({ length: 6 }, () => createPool(testDatabaseOptions(database)));
  try {
    const proofs = await Promise.all(pools.map((each) => proveGapMode({ pool: each, wanted: 'transactions' })));
    assert.deepEqual(new Set(proofs.map(({ mode }) => mode)), new Set(['transactions']));
  } finally {
    await Promise.all(pools.map((each) => each.close()));
  }
});

test('sources of one process that prove at once share their lists', async () => {
  const one = createPool(testDatabaseOptions(database));
  try {
    const proofs = await Promise.all(Array.from({ length: 8 }, () => proveGapMode({ pool: one, wanted: 'auto' })));
    assert.deepEqual(
      new Set(proofs.map(({ mode, reason }) => `${mode} ${reason.split(' ')[0]}`)),
      new Set(['transactions proven']),
    );
  } finally {
    await one.close();
  }
});

test('I1: a program that keeps the list from being renewed makes no lesser mode of it', async () => {
  const watcher = createPool({ ...testDatabaseOptions(database), connectionsMax: 4 });
  let isWatching = true;
  const watch = async () => {
    while (isWatching) await watcher.query('SELECT COUNT(*) AS n FROM information_schema.innodb_trx');
  };
  // Several: on a busy machine one of them may pause for the tenth of a second that renews the list.
  const watching = Promise.all(Array.from({ length: 4 }, watch));
  try {
    const proof = await proveGapMode({ pool, wanted: 'auto' });
    assert.equal(proof.mode, 'transactions');
    assert.match(proof.reason, /not proven, .*stop the program/);
  } finally {
    isWatching = false;
    await watching;
    await watcher.close();
  }
});

test('time is taken at its word, without a canary', async () => {
  assert.equal((await proveGapMode({ pool, wanted: 'time', canaryTable: 'no_canary' })).mode, 'time');
});

test('an engine without transactions does not prove itself', async () => {
  await pool.run('CREATE TABLE isam_canary (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = MyISAM');
  const proof = await proveGapMode({ pool, wanted: 'auto', canaryTable: 'isam_canary' });
  assert.equal(proof.mode, 'time');
  await assert.rejects(proveGapMode({ pool, wanted: 'locks', canaryTable: 'isam_canary' }), unsupported);
});

test('a user who may not insert the canary gets time mode, one without PROCESS locks and the GRANT that improves it', async () => {
  const { name, drop: _drop, ...address } = database;
  const admin = await mysql.createConnection({ ...address, database: name });
  const user = name.slice(-20);
  try {
    await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'canary', '${user}'@'localhost' IDENTIFIED BY 'canary'`);
    await admin.query(`GRANT SELECT ON ${name}.* TO '${user}'@'%', '${user}'@'localhost'`);
    const reader = createPool({ ...testDatabaseOptions(database), user, password: 'canary' });
    const proof = await proveGapMode({ pool: reader, wanted: 'auto' });
    assert.equal(proof.mode, 'time');
    assert.match(proof.reason, /may not .*insert/);
    assert.equal(proof.betterBy, `GRANT PROCESS ON *.* TO '${user}'@'${await hostOf(reader)}'`);
    await admin.query(`GRANT INSERT ON ${name}.* TO '${user}'@'%', '${user}'@'localhost'`);
    const locks = await proveGapMode({ pool: reader, wanted: 'auto' });
    assert.deepEqual([locks.mode, locks.betterBy], ['locks', proof.betterBy]);
    assert.match(locks.reason, /no PROCESS privilege/);
    await assert.rejects(proveGapMode({ pool: reader, wanted: 'transactions' }), unsupported);
    await admin.query(locks.betterBy as string);
    await reader.close();
    const granted = createPool({ ...testDatabaseOptions(database), user, password: 'canary' });
    assert.equal((await proveGapMode({ pool: granted, wanted: 'auto' })).mode, 'transactions');
    await granted.close();
  } finally {
    await admin.query(`DROP USER IF EXISTS '${user}'@'%', '${user}'@'localhost'`);
    await admin.end();
  }
});
