/** Identifiers, and the error table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asDatabaseError, quoteIdentifier } from './index.ts';

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
