/**
 * Whatever a server's settings and its init_connect do to a session, ours has the settings that our statements depend on; of the
 * accounts init_connect is run for, as a relay's is. A MariaDB of the test's own, which also ignores the client's character set.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type MariadbServer, startMariadb } from '#testkit';
import { createPool, type DatabaseOptions, openSession, type Pool } from './index.ts';
import { sessionSettings } from './session-settings.ts';

const LIMITS = { readTimeoutMs: 5_000 };
/** What breaks statements of ours, or makes them do something else. */
const HOSTILE: readonly (readonly [name: string, value: string])[] = [
  ['autocommit', '0'],
  ['sql_mode', "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,IGNORE_SPACE,EMPTY_STRING_IS_NULL'"],
  ['time_zone', "'+05:30'"],
  ['sql_safe_updates', '1'],
  ['sql_select_limit', '1'],
  ['max_join_size', '1'],
  ['sql_big_selects', '0'],
  ['completion_type', "'RELEASE'"],
  ['timestamp', '1'],
  ['foreign_key_checks', '0'],
  ['unique_checks', '0'],
  ['sql_auto_is_null', '1'],
  ['group_concat_max_len', '4'],
  ['div_precision_increment', '0'],
  ['sql_quote_show_create', '0'],
  ['sql_buffer_result', '1'],
  ['max_sort_length', '64'],
  ['innodb_strict_mode', '0'],
  ['default_storage_engine', "'MyISAM'"],
  ['tx_read_only', '1'],
  ['tx_isolation', "'SERIALIZABLE'"],
  ['old_mode', "'ZERO_DATE_TIME_CAST'"],
  ['sql_if_exists', '1'],
  ['check_constraint_checks', '0'],
  ['in_predicate_conversion_threshold', '2'],
  ['optimizer_max_sel_arg_weight', '1'],
  ['innodb_lock_wait_timeout', '3600'],
  ['lock_wait_timeout', '3600'],
  ['net_read_timeout', '1'],
  ['net_write_timeout', '1'],
  ['wait_timeout', '1'],
  ['max_statement_time', '3600'],
  ['idle_transaction_timeout', '3600'],
  ['idle_readonly_transaction_timeout', '1'],
  ['idle_write_transaction_timeout', '1'],
];
/** Not to be read back as what was set. */
const OTHERWISE: Readonly<Record<string, (shown: string) => boolean>> = {
  timestamp: (shown) => Number(shown) > 1_000_000,
  tx_isolation: (shown) => shown === 'READ-COMMITTED',
};

let server: MariadbServer;
let admin: Pool;
let options: DatabaseOptions;

before(async () => {
  const names = ['--skip-character-set-client-handshake', '--character-set-server=latin1'];
  server = await startMariadb({ args: names });
  const { host, port, user, password } = server;
  const root = { host, port, user, password, database: null, connectTimeoutMs: 5_000, ...LIMITS, ssl: null };
  admin = createPool(root);
  await admin.run('CREATE DATABASE shop CHARACTER SET utf8mb4');
  await admin.run("CREATE USER relay@'%' IDENTIFIED BY 'relay'");
  await admin.run("GRANT ALL ON shop.* TO relay@'%'");
  options = { ...root, user: 'relay', password: 'relay', database: 'shop' };
});

after(async () => {
  await admin?.close();
  await server?.stop();
});

const onConnect = (sql: string) => admin.run('SET GLOBAL init_connect = ?', [sql]);
const plain = (value: string): string => value.replaceAll("'", '');

test('each setting is ours in spite of init_connect', async () => {
  const ours = new Map(sessionSettings('mariadb', LIMITS).map(({ name, value }) => [name, plain(value)]));
  for (const [name, value] of HOSTILE) {
    await onConnect(`SET SESSION ${name} = ${value}`);
    const session = await openSession(options);
    const [row] = await session.query<Record<string, unknown>>(`SELECT @@SESSION.${name} AS shown`);
    const shown = String(row?.shown);
    const check =
      OTHERWISE[name] ?? ((found: string) => found === ours.get(name) || Number(found) === Number(ours.get(name)));
    assert.ok(check(shown), `${name} is ${shown}, not ${ours.get(name)}`);
    assert.equal(session.broken, false);
    await session.close();
  }
  const tested = new Set(HOSTILE.map(([name]) => name));
  assert.deepEqual(
    [...ours.keys()].filter((name) => !tested.has(name)),
    [],
  );
});

test('all at once, in every character set that init_connect may name: values are stored and read byte by byte', async () => {
  const text = 'ä€😀\'\\"\u0000\n%_`';
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
  const all = HOSTILE.map(([name, value]) => `SESSION ${name} = ${value}`).join(', ');
  for (const names of [null, 'utf8mb3', 'latin1', 'sjis']) {
    const charsets = ['client', 'results', 'connection'].map((which) => `, character_set_${which} = ${names}`).join('');
    await onConnect(`SET ${all}${names === null ? '' : charsets}`);
    const session = await openSession(options);
    await session.run('CREATE OR REPLACE TABLE t (id INT PRIMARY KEY, v VARCHAR(100) CHARACTER SET utf8mb4, b BLOB)');
    await session.runPrepared('INSERT INTO t VALUES (?, ?, ?)', [1, text, bytes]);
    await session.run('INSERT INTO t VALUES (?, ?, ?)', [2, text, bytes]);
    await session.run('START TRANSACTION');
    await session.run("UPDATE t SET v = 'x' WHERE v = ?", [text]);
    await session.run('ROLLBACK');
    await session.run('START TRANSACTION');
    await session.run('COMMIT');
    const rows = await session.query<{ id: number; v: string; b: Buffer }>('SELECT id, v, b FROM t ORDER BY id');
    assert.deepEqual(rows, [{ id: 1, v: text, b: bytes }, { id: 2, v: text, b: bytes }], String(names)); // biome-ignore format: pairs
    const [engine] = await admin.query<{ ENGINE: string }>("SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_NAME = 't'"); // biome-ignore format: short
    assert.equal(engine?.ENGINE, 'InnoDB');
    await session.close();
  }
});

test('a setting that the server does not let us have is left out, and found out once', async () => {
  await admin.run("SET GLOBAL init_connect = ''");
  const strict = await startMariadb({ args: ['--secure-timestamp=YES'] });
  try {
    const pool = createPool({
      ...options,
      port: strict.port,
      user: strict.user,
      password: strict.password,
      database: null,
    });
    const [row] = await pool.query<{ w: number }>('SELECT @@lock_wait_timeout AS w');
    assert.equal(Number(row?.w), 3);
    await pool.close();
  } finally {
    await strict.stop();
  }
});
