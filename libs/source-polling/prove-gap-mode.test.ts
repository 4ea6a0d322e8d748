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

const unsupported = (error: unknown): boolean => error instanceof RelayError && error.code === 'DB_UNSUPPORTED';

test('a missing canary table means time mode with the reason, and refuses forced locks', async () => {
  const proof = await proveGapMode({ pool, wanted: 'auto', canaryTable: 'no_canary' });
  assert.equal(proof.mode, 'time');
  assert.match(proof.reason, /no_canary is missing/);
  await assert.rejects(proveGapMode({ pool, wanted: 'locks', canaryTable: 'no_canary' }), unsupported);
});

test('locks are proven by a row that is locked while open and gone after, with a pool of one', async () => {
  await pool.run(canaryTableSql());
  await pool.run(canaryTableSql());
  for (const wanted of ['auto', 'locks'] as const) {
    const proof = await proveGapMode({ pool, wanted });
    assert.equal(proof.mode, 'locks', proof.reason);
    assert.match(proof.reason, /proven on (mariadb|mysql)/);
    assert.deepEqual([proof.autoIncrementIncrement, proof.autoIncrementOffset], [1, 1]);
    assert.ok(proof.autoincLockMode !== null && [0, 1, 2].includes(proof.autoincLockMode));
  }
  const rows = await pool.query(`SELECT id FROM ${CANARY_TABLE_DEFAULT}`);
  assert.deepEqual(rows, [], 'it stays empty');
});

test('many processes prove at once', async () => {
  const pools = Array.from({ length: 6 }, () => createPool(testDatabaseOptions(database)));
  try {
    const proofs = await Promise.all(pools.map((each) => proveGapMode({ pool: each, wanted: 'locks' })));
    assert.deepEqual(new Set(proofs.map(({ mode }) => mode)), new Set(['locks']));
  } finally {
    await Promise.all(pools.map((each) => each.close()));
  }
});

test('time is taken at its word, without a canary', async () => {
  assert.equal((await proveGapMode({ pool, wanted: 'time', canaryTable: 'no_canary' })).mode, 'time');
});

test('an engine without row locks does not prove itself', async () => {
  await pool.run('CREATE TABLE isam_canary (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = MyISAM');
  const proof = await proveGapMode({ pool, wanted: 'auto', canaryTable: 'isam_canary' });
  assert.equal(proof.mode, 'time');
  assert.match(proof.reason, /answered the lock probe with "rows"/);
  await assert.rejects(proveGapMode({ pool, wanted: 'locks', canaryTable: 'isam_canary' }), unsupported);
});

test('a user who may not insert the canary gets time mode', async () => {
  const { name, drop: _drop, ...address } = database;
  const admin = await mysql.createConnection({ ...address, database: name });
  const user = name.slice(-20);
  try {
    await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'canary', '${user}'@'localhost' IDENTIFIED BY 'canary'`);
    await admin.query(`GRANT SELECT ON ${name}.* TO '${user}'@'%', '${user}'@'localhost'`);
    const reader = createPool({ ...testDatabaseOptions(database), user, password: 'canary' });
    const proof = await proveGapMode({ pool: reader, wanted: 'auto' });
    assert.equal(proof.mode, 'time');
    assert.match(proof.reason, /may not insert/);
    await reader.close();
  } finally {
    await admin.query(`DROP USER IF EXISTS '${user}'@'%', '${user}'@'localhost'`);
    await admin.end();
  }
});
