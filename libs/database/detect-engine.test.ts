/** Engines are recognised by what they do: servers as documented, under their own names and under others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError } from '#runtime';
import { detectEngine, EngineMemory } from './detect-engine.ts';
import {
  anyComments,
  mariadbComments,
  mariadbVariables,
  mysqlComments,
  mysqlVariables,
  type ServerByHand,
  serverByHand,
  tidbComments,
} from './server-by-hand.ts';

const mysql = (number: number, innodb: string, names: Partial<ServerByHand> = {}): ServerByHand => ({
  version: innodb,
  comment: 'MySQL Community Server - GPL',
  executes: mysqlComments(number),
  variables: mysqlVariables(innodb),
  ...names,
});

const mariadb = (number: number, innodbPlugin: string, names: Partial<ServerByHand> = {}): ServerByHand => ({
  version: `${innodbPlugin}-MariaDB`,
  comment: 'mariadb.org binary distribution',
  executes: mariadbComments(number),
  variables: mariadbVariables,
  innodbPlugin,
  ...names,
});

const tidb: ServerByHand = {
  version: '8.0.11-TiDB-v7.5.1',
  comment: 'TiDB Server (Apache License 2.0) Community Edition, MySQL 8.0 compatible',
  executes: tidbComments,
  variables: { ...mysqlVariables('8.0.11'), tidb_txn_mode: 'pessimistic' },
};

const singlestore: ServerByHand = {
  version: '5.7.32',
  comment: 'SingleStoreDB source distribution (compatible; MySQL Enterprise & MySQL Commercial)',
  variables: { memsql_version: '8.5.22' },
  refuses: [[/@@auto_increment/, 1193]],
};

/** As it answered, tried: of what it does not parse it says 1105. */
const goMysqlServer: ServerByHand = {
  version: '8.0.31',
  executes: anyComments,
  variables: { information_schema_stats_expiry: '86400', pseudo_thread_id: '0' },
  refuses: [[/VITESS/, 1105]],
};

const vitess: ServerByHand = mysql(80_040, '8.0.40', {
  version: '8.0.40-Vitess',
  comment: 'Version: 21.0.0',
  connectionId: '12',
  knowsVitess: true,
});

/** As managed services, packagers and proxies present a server. */
const OTHER_NAMES: readonly (readonly [string, string])[] = [
  ['8.0.41-google', '(Google)'],
  ['8.0.41-google', ''],
  ['8.0.36', 'Source distribution'],
  ['9.3.0', 'Homebrew'],
  ['8.0.41-azure', ''],
  ['8.0.36-28', 'Percona Server (GPL), Release 28, Revision 47601f19'],
  ['8.0.37', 'Percona XtraDB Cluster (GPL), Release rel29'],
  ['8.4.7-0ubuntu0.24.04.1', '(Ubuntu)'],
  ['5.5.5-10.11.8-MariaDB-log', 'managed by https://aws.amazon.com/rds/'],
  ['8.0.39', 'maxscale'],
  ['5.7.12', '(ProxySQL)'],
  ['10.6.0', ''],
  ['', ''],
  ['8.0.11-TiDB-v7.5.1', 'TiDB Server'],
  ['5.7.32', 'SingleStoreDB source distribution'],
  ['8.0.30-Vitess', 'Version: 15.0.0'],
];

test('each engine is recognised under its own name, with its own version', async () => {
  const cases: readonly (readonly [ServerByHand, string, string, string])[] = [
    [mysql(80_022, '8.0.22'), 'mysql', '8.0.22', 'mysql 8.0.22'],
    [mysql(80_409, '8.4.9'), 'mysql', '8.4.9', 'mysql 8.4.9'],
    [mysql(90_704, '9.7.4'), 'mysql', '9.7.4', 'mysql 9.7.4'],
    [mysql(100_700, '10.7.0'), 'mysql', '10.7.0', 'mysql 10.7.0'],
    [mariadb(100_600, '10.6.0'), 'mariadb', '10.6.0', 'mariadb 10.6.0-MariaDB'],
    [mariadb(110_809, '11.8.9'), 'mariadb', '11.8.9', 'mariadb 11.8.9-MariaDB'],
    [
      mariadb(120_301, '12.3.1', { version: '5.5.5-12.3.1-MariaDB' }),
      'mariadb',
      '12.3.1',
      'mariadb 5.5.5-12.3.1-MariaDB',
    ],
    [tidb, 'tidb', '7.5.1', 'tidb 8.0.11-TiDB-v7.5.1'],
    [singlestore, 'singlestore', '8.5.22', `singlestore 8.5.22, which calls itself "5.7.32 ${singlestore.comment}"`],
    [vitess, 'unknown', '8.0.40', 'Vitess, which calls itself "8.0.40-Vitess Version: 21.0.0"'],
  ];
  for (const [server, kind, number, name] of cases) {
    const engine = await detectEngine(serverByHand(server));
    assert.deepEqual(
      [engine.kind, `${engine.major}.${engine.minor}.${engine.patch}`, engine.name],
      [kind, number, name],
    );
  }
});

test('no name makes an engine another, or its version another', async () => {
  const servers: readonly (readonly [ServerByHand, string])[] = [
    [mysql(80_041, '8.0.41'), 'mysql 8.0.41'],
    [mysql(90_704, '9.7.4'), 'mysql 9.7.4'],
    [mariadb(101_119, '10.11.19'), 'mariadb 10.11.19'],
    [tidb, 'tidb'],
    [singlestore, 'singlestore 8.5.22'],
    [vitess, 'unknown'],
  ];
  for (const [server, expected] of servers) {
    for (const [version, comment] of OTHER_NAMES) {
      const engine = await detectEngine(serverByHand({ ...server, version, comment }));
      const { kind, major, minor, patch } = engine;
      const about = `${expected} as ${version} ${comment}`;
      assert.equal(kind, expected.split(' ')[0], about);
      // A MariaDB that presents a MariaDB's number is believed.
      if (expected.includes('.') && !/10\.\d+\.\d/.test(version)) {
        assert.equal(`${kind} ${major}.${minor}.${patch}`, expected, about);
      }
      if (!/mysql|mariadb|tidb|singlestore/i.test(`${version} ${comment}`) && version !== '') {
        assert.ok(engine.name.endsWith(`which calls itself "${`${version} ${comment}`.trim()}"`), engine.name);
      }
    }
  }
});

test('behind a proxy that strips comments the variables tell', async () => {
  for (const [server, kind] of [
    [mysql(80_041, '8.0.41'), 'mysql'],
    [mariadb(101_119, '10.11.19'), 'mariadb'],
    [tidb, 'tidb'],
    [vitess, 'unknown'],
  ] as const) {
    const stripped: ServerByHand = { ...server, version: '8.0.39', comment: '', executes: () => false };
    assert.equal((await detectEngine(serverByHand(stripped))).kind, kind);
    const stumbling: ServerByHand = { ...server, comment: '', refuses: [[/_level/, 1064]] };
    const engine = await detectEngine(serverByHand(stumbling));
    assert.deepEqual([engine.kind, engine.version], [kind, server.version]);
  }
});

test('SingleStore is asked for its own variable where SHOW takes no WHERE', async () => {
  const server: ServerByHand = { ...singlestore, version: '8.0.41', comment: '', refuses: [[/WHERE/, 1064]] };
  assert.equal((await detectEngine(serverByHand(server))).kind, 'singlestore');
});

test('what imitates MySQL and is none stays unknown, or what its name says where that promises less', async () => {
  const imitations: readonly (readonly [ServerByHand, string, RegExp])[] = [
    [
      mysql(99_999, '8.0.30', { variables: { ...mysqlVariables('8.0.30'), ob_query_timeout: '1' } }),
      'unknown',
      /^OceanBase/,
    ],
    [
      mysql(99_999, '8.0.30', { variables: { ...mysqlVariables('8.0.30'), dolt_transaction_commit: '0' } }),
      'unknown',
      /^Dolt/,
    ],
    // go-mysql-server 0.20 under its own name and another; and each of its two signs alone.
    [{ ...goMysqlServer, comment: 'Dolt' }, 'unknown', /not recognised, which calls itself "8.0.31 Dolt"/],
    [{ ...goMysqlServer, comment: 'MySQL Community Server - GPL' }, 'unknown', /not recognised/],
    [mysql(80_041, '8.0.41', { executes: anyComments }), 'unknown', /not recognised/],
    [{ ...goMysqlServer, executes: mysqlComments(80_031) }, 'unknown', /not recognised/],
    [{ version: '8.0.33', comment: 'Doris', executes: mysqlComments(99_999) }, 'unknown', /not recognised/],
    [{ version: '8.0.31', comment: 'MySQL Community Server - GPL' }, 'unknown', /not recognised/],
    [{ version: '5.7.25-TiDB-v2.1.0' }, 'tidb', /^tidb/],
    [{ version: '5.7.32', comment: 'MemSQL', refuses: [[/SHOW/, 1064]] }, 'singlestore', /^singlestore/],
  ];
  for (const [server, kind, name] of imitations) {
    const engine = await detectEngine(serverByHand(server));
    assert.equal(engine.kind, kind, server.comment);
    assert.match(engine.name, name);
  }
});

const refused = (error: unknown): boolean => error instanceof RelayError && error.code === 'DB_UNSUPPORTED';

test('servers too old are refused by what they are, good ones under an old name are not', async () => {
  const mysql57 = mysql(50_744, '5.7.44', {
    variables: { innodb_page_size: '16384', innodb_version: '5.7.44', pseudo_thread_id: '7' },
  });
  for (const server of [
    mariadb(100_529, '10.5.29'),
    mariadb(100_529, '10.5.29', { version: '10.11.2-MariaDB' }),
    mariadb(100_529, '10.5.29', { version: '8.0.41' }),
    mariadb(100_529, '10.5.29', { executes: () => false }),
    mysql(80_021, '8.0.21'),
    mysql(80_021, '8.0.21', { version: '8.0.41-google' }),
    mysql(80_021, '', { version: '8.0.41-google' }),
    mysql57,
    { ...mysql57, version: '8.0.41-google', comment: '(Google)' },
    mysql(80_041, 'x', {
      version: 'x',
      executes: () => false,
      refuses: [[/SKIP LOCKED/, 1064]],
      variables: { ...mariadbVariables },
    }),
  ]) {
    await assert.rejects(detectEngine(serverByHand(server)), refused, JSON.stringify(server));
  }
  for (const server of [
    mariadb(101_119, '10.11.19', { version: '10.2.3-MariaDB' }),
    mysql(80_041, '8.0.41', { version: '5.7.12' }),
    mysql(80_041, '', { version: '' }),
    mysql(80_041, '', { version: '5.7.12' }),
    mariadb(101_119, '', { version: '', executes: () => false }),
  ]) {
    await detectEngine(serverByHand(server));
  }
});

test('only sessions that would get figures a day old ask for fresh ones', async () => {
  const servers = [mysql(80_041, '8.0.41'), vitess, mariadb(101_119, '10.11.19'), tidb, singlestore];
  const engines = await Promise.all(servers.map((server) => detectEngine(serverByHand(server))));
  assert.deepEqual(
    engines.map(({ cachesStatistics }) => cachesStatistics),
    [true, true, false, false, false],
  );
});

test('two questions for a new server, one for each further session; three where something stands in between', async () => {
  const count = async (description: ServerByHand, memory: EngineMemory) => {
    const server = serverByHand(description);
    const engine = await detectEngine(server, memory);
    return { questions: server.asked.length, engine };
  };
  for (const [server, first] of [
    [mysql(80_041, '8.0.41'), 2],
    [mariadb(101_119, '10.11.19'), 2],
    [tidb, 2],
    [singlestore, 2],
    [vitess, 3],
    [mariadb(101_119, '10.11.19', { version: '8.0.41' }), 3],
  ] as const) {
    const memory = new EngineMemory();
    const new_ = await count(server, memory);
    const again = await count(server, memory);
    assert.deepEqual([new_.questions, again.questions], [first, 1], server.version);
    assert.deepEqual(again.engine, new_.engine);
  }
});

test('a server that was exchanged for another is recognised anew, and steps of ids are read each time', async () => {
  const memory = new EngineMemory();
  const names = { version: '8.0.41', comment: '' };
  const first = await detectEngine(serverByHand(mysql(80_041, '8.0.41', names)), memory);
  assert.deepEqual([first.kind, first.autoIncrementIncrement, first.autoIncrementOffset], ['mysql', 3, 2]);
  const steps = { ...mysqlVariables('8.0.41'), auto_increment_increment: '5' };
  const second = await detectEngine(serverByHand(mysql(80_041, '8.0.41', { ...names, variables: steps })), memory);
  assert.equal(second.autoIncrementIncrement, 5);
  for (const [server, kind] of [
    [mariadb(101_119, '10.11.19', names), 'mariadb'],
    [{ ...tidb, ...names }, 'tidb'],
    [{ ...singlestore, ...names }, 'singlestore'],
    [mysql(80_041, '8.0.41', names), 'mysql'],
  ] as const) {
    assert.equal((await detectEngine(serverByHand(server), memory)).kind, kind);
  }
});

test('a fault of the server is not taken for an answer, and what Aurora says once is asked again', async () => {
  for (const errno of [1040, 1205, 1226, 1317, 2013]) {
    const server = mysql(80_041, '8.0.41', { refuses: [[/SHOW VARIABLES/, errno]] });
    await assert.rejects(detectEngine(serverByHand(server)), RelayError, String(errno));
  }
  const server = serverByHand(mysql(80_041, '8.0.41'));
  let faults = 1;
  const engine = await detectEngine({
    query: async (sql) => {
      if (sql.startsWith('SHOW') && faults-- > 0) throw Object.assign(new Error('x'), { errno: 1105, code: 'ER_X' });
      return server.query(sql);
    },
  });
  assert.equal(engine.kind, 'mysql');
});
