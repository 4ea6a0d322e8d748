/** Identifiers, and the error table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asDatabaseError, FATAL_ERRORS, quoteIdentifier, quoteTablePath } from './index.ts';

test('what no server takes as a name never reaches SQL, and anything else does as it is', () => {
  assert.equal(quoteIdentifier('orders'), '`orders`');
  assert.equal(quoteIdentifier('a.b'), '`a.b`');
  assert.equal(quoteIdentifier('a`; DROP TABLE b -- "\'?$1'), '`a``; DROP TABLE b -- "\'?$1`');
  assert.equal(quoteIdentifier(' größe-1'), '` größe-1`');
  assert.equal(quoteIdentifier('漢'.repeat(64)), `\`${'漢'.repeat(64)}\``);
  for (const bad of ['', 'x'.repeat(65), 'a ', 'a\0b', 'a\nb', '\u{1f600}', '\ud800']) {
    assert.throws(() => quoteIdentifier(bad), { code: 'CONFIG_INVALID' }, bad);
  }
});

test('a path of a caller: a dot parts database and table, unless backticks hold it', () => {
  assert.equal(quoteTablePath('orders'), '`orders`');
  assert.equal(quoteTablePath('shop.order$1'), '`shop`.`order$1`');
  assert.equal(quoteTablePath('my-shop.order events'), '`my-shop`.`order events`');
  assert.equal(quoteTablePath('`order.events`'), '`order.events`');
  assert.equal(quoteTablePath('`a``.b`.c'), '`a``.b`.`c`');
  for (const bad of ['', '.a', 'a.', 'a.b.c', 'a`b', '`a', '`a`b', 'a.`b`.c', `${'x'.repeat(65)}.a`]) {
    assert.throws(() => quoteTablePath(bad), { code: 'CONFIG_INVALID' }, bad);
  }
});

test('driver errors map by number before name; what is unknown is tried again', () => {
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
  assert.equal(codeOf({ errno: 1615, code: 'ER_NEED_REPREPARE' }), 'DB_TRANSIENT');
  assert.equal(codeOf({ errno: 1461, code: 'ER_MAX_PREPARED_STMT_COUNT_REACHED' }), 'DB_FULL');
  for (const errno of [1105, 1180, 1028, 1644, 99999]) assert.equal(codeOf({ errno, code: 'ER_NEW' }), 'DB_UNKNOWN');
  assert.equal(codeOf({ code: 'ERR_SSL_NEVER_SEEN' }), 'DB_UNKNOWN');
  const { verdict, message } = asDatabaseError(
    Object.assign(new Error('secret'), { errno: 1644, code: 'ER_SIGNAL_EXCEPTION', sqlState: '45000' }),
    'UPDATE',
  );
  assert.equal(verdict, 'retry');
  assert.match(message, /^UPDATE: ER_SIGNAL_EXCEPTION \(error 1644, SQLSTATE 45000, .*tries again/);
  assert.doesNotMatch(message, /secret/);
});

test('only named errors are fatal, each with a reason, and none has two meanings', () => {
  for (const [engine, list] of Object.entries(FATAL_ERRORS)) {
    assert.equal(new Set(list.map(({ errno }) => errno)).size, list.length, engine);
    for (const { errno, name, code, reason } of list) {
      const error = asDatabaseError(Object.assign(new Error('text'), { errno, code: name }), 'x');
      assert.deepEqual([error.code, error.verdict], [code, 'fatal'], name);
      assert.ok(reason.length > 10, name);
    }
  }
  for (let errno = 1; errno < 10_000; errno += 1) {
    const { verdict } = asDatabaseError(Object.assign(new Error('text'), { errno, code: 'ER_ANY' }), 'x');
    const isNamed = FATAL_ERRORS.mariadb.some((fatal) => fatal.errno === errno);
    assert.equal(verdict === 'fatal', isNamed, String(errno));
  }
});
