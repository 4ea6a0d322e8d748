/** Engine detection from what servers say about themselves, identifiers, and the error table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import { asDatabaseError, detectEngine, quoteIdentifier } from './index.ts';

const answering = (version: string, comment: string) => ({
  query: async (sql: string) =>
    sql.includes('VERSION()') ? [{ version, comment }] : [{ packet: '16777216', increment: '3', start: '2' }],
});

test('engines are told apart by version and comment', async () => {
  const cases = [
    ['10.11.19-MariaDB-0+deb12u1', 'Debian 12', 'mariadb', 10],
    ['5.5.5-10.6.22-MariaDB', 'mariadb.org binary distribution', 'mariadb', 10],
    ['8.0.36', 'MySQL Community Server - GPL', 'mysql', 8],
    ['8.4.3-3', 'Percona Server (GPL), Release 3', 'mysql', 8],
    ['5.7.32', 'SingleStoreDB source distribution (compatible; MySQL Enterprise & MySQL Commercial)', 'singlestore', 5],
    ['8.0.11-TiDB-v7.5.1', 'TiDB Server (Apache License 2.0)', 'tidb', 7],
    ['8.0.31', 'Somebody else', 'unknown', 8],
  ] as const;
  for (const [version, comment, kind, major] of cases) {
    const engine = await detectEngine(answering(version, comment));
    assert.deepEqual([engine.kind, engine.major], [kind, major], version);
  }
  const engine = await detectEngine(answering('8.0.36', 'MySQL Community Server - GPL'));
  assert.deepEqual([engine.autoIncrementIncrement, engine.autoIncrementOffset], [3, 2]);
});

test('servers too old are refused', async () => {
  for (const [version, comment] of [
    ['10.5.29-MariaDB', ''],
    ['8.0.21', 'MySQL Community Server - GPL'],
    ['5.7.44', 'MySQL Community Server (GPL)'],
  ] as const) {
    await assert.rejects(
      detectEngine(answering(version, comment)),
      (error) => error instanceof RelayError && error.code === 'DB_UNSUPPORTED',
      version,
    );
  }
});

test('identifiers outside the allow-list never reach SQL', () => {
  assert.equal(quoteIdentifier('orders'), '`orders`');
  assert.equal(quoteIdentifier('shop.order$1'), '`shop`.`order$1`');
  for (const bad of ['', 'a`b', 'a b', 'a.b.c', 'a;', 'ä', 'x'.repeat(65), '.a']) {
    assert.throws(() => quoteIdentifier(bad), { code: 'CONFIG_INVALID' }, bad);
  }
});

test('driver errors map by number before name; what is unknown is INTERNAL', () => {
  const codeOf = (facts: object) => asDatabaseError(Object.assign(new Error('text'), facts), 'x').code;
  assert.equal(codeOf({ errno: 1213, code: 'ER_LOCK_DEADLOCK' }), 'DB_TRANSIENT');
  assert.equal(codeOf({ errno: 3572, code: 'ER_LOCK_NOWAIT' }), 'DB_TRANSIENT');
  assert.equal(codeOf({ errno: 1836, code: 'ER_READ_ONLY_MODE' }), 'DB_READ_ONLY');
  assert.equal(codeOf({ errno: 1142, code: 'ER_TABLEACCESS_DENIED_ERROR' }), 'DB_REFUSED');
  assert.equal(codeOf({ errno: 1114, code: 'ER_RECORD_FILE_FULL' }), 'DB_FULL');
  assert.equal(codeOf({ errno: -111, code: 'ECONNREFUSED' }), 'DB_UNREACHABLE');
  assert.equal(codeOf({ errno: 1927, code: 'ER_CONNECTION_KILLED' }), 'DB_UNREACHABLE');
  assert.equal(codeOf({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' }), 'DEADLINE_EXCEEDED');
  assert.equal(codeOf({ errno: 1062, code: 'ER_DUP_ENTRY' }), 'INTERNAL');
  assert.equal(codeOf({ errno: 99999, code: 'ER_NEW' }), 'INTERNAL');
});
