/** `init` and `config check` on real servers. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { connectKafka, createKafkaPortOn } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import { createTestDatabase, spawnApp, testEnvironment } from '#testkit';
import { type CliWorld, openCliWorld, runCli } from '../test/cli-world.ts';

let world: CliWorld;

before(async () => {
  world = await openCliWorld('krs_cli_init');
});

after(async () => {
  await world?.close();
});

async function describeTables(db: mysql.Connection): Promise<ReadonlyMap<string, string>> {
  const [tables] = await db.query<mysql.RowDataPacket[]>('SHOW TABLES LIKE "kafka\\_row\\_sender%"');
  const described = new Map<string, string>();
  for (const row of tables) {
    const table = String(Object.values(row)[0]);
    const [[created]] = await db.query<mysql.RowDataPacket[]>(`SHOW CREATE TABLE \`${table}\``);
    described.set(table, String(created?.['Create Table']).replace(/ AUTO_INCREMENT=\d+/, ''));
  }
  return described;
}

test('config check before init names each thing that is missing', async () => {
  const { code, stdout } = await world.run(['config', 'check']);
  assert.equal(code, 2, stdout);
  assert.match(stdout, /^ok {6}database /m);
  assert.match(stdout, /^FAILED {2}tables: .*run init/m);
  assert.match(stdout, /^ok {6}source orders: table orders, no rows yet/m);
  assert.match(stdout, /^FAILED {2}marker topic .*does not exist: run init/m);
  assert.match(stdout, /^FAILED {2}topic .*does not exist/m);
  assert.match(stdout, /^ok {6}redis: not configured/m);
});

test('status and verify before init say what to do', async () => {
  for (const command of ['status', 'verify']) {
    const { code, stderr } = await world.run([command]);
    assert.equal(code, 2);
    assert.match(stderr, /^error: the table kafka_row_sender_watermark does not exist: run init first$/m);
  }
});

test('writer, sender and run before init say what to do, and end with 2', async () => {
  for (const [entry, args] of [
    ['apps/writer/main.ts', []],
    ['apps/sender/main.ts', []],
    ['apps/cli/main.ts', ['run']],
  ] as const) {
    const app = spawnApp(entry, world.env, { args: [...args] });
    assert.equal((await app.exit).code, 2, app.output());
    assert.match(app.output(), /does not exist: run init first/);
  }
});

test('init --no-kafka makes the tables alone', async () => {
  const { code, stdout } = await world.run(['init', '--no-kafka']);
  assert.equal(code, 0);
  assert.match(stdout, /tables created/);
  assert.doesNotMatch(stdout.replace('kafka_row_sender_topic', ''), /topic/);
});

test('init makes the marker topic, and says which topic is missing and how to make it', async () => {
  const { code, stdout, stderr } = await world.run(['init']);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /tables already there/);
  assert.match(stdout, /marker topic created: .*\.markers, 4 partitions/);
  assert.match(stderr, new RegExp(`topic missing: ${world.topic};.*init --create-topics`));
});

test('init --create-topics makes it; run again, all is there and the exit code 0', async () => {
  const made = await world.run(['init', '--create-topics', '--partitions', '3']);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, new RegExp(`topic created: ${world.topic}`));
  const again = await world.run(['init', '--create-topic']);
  assert.equal(again.code, 0);
  assert.match(again.stdout, /tables already there/);
  assert.match(again.stdout, /marker topic already there/);
  assert.match(again.stdout, new RegExp(`^topic already there: ${world.topic}`, 'm'));
  assert.doesNotMatch(again.stdout, /created|grown/);
  const check = await world.run(['config', 'check']);
  assert.equal(check.code, 0, check.stdout);
  assert.match(check.stdout, new RegExp(`^ok {6}topic ${world.topic}: 3 partitions`, 'm'));
  assert.doesNotMatch(check.stdout, /FAILED/);
});

test('init --topic makes topics that only rows name; a name that is none is refused', async () => {
  const topics = [`${world.topic}.a`, `${world.topic}.b`];
  const made = await world.run(['init', ...topics.flatMap((topic) => ['--topic', topic]), '--partitions', '1']);
  assert.equal(made.code, 0, made.stderr);
  for (const topic of topics) {
    assert.match(made.stdout, new RegExp(`^topic created: ${topic}$`, 'm'));
  }
  const refused = await world.run(['init', '--topic', 'not a topic']);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /letters, digits/);
});

test('more lanes grow the marker topic', async () => {
  const { code, stdout } = await world.run(['init'], { KAFKA_ROW_SENDER_LANES: '6' });
  assert.equal(code, 0);
  assert.match(stdout, /marker topic grown: .*, 6 partitions/);
});

test('init-sql makes the same tables as init', async () => {
  const database = await createTestDatabase({ prefix: 'krs_cli_sql' });
  const { host, port, user, password, name } = database;
  const db = await mysql.createConnection({ host, port, user, password, database: name, multipleStatements: true });
  try {
    const { stdout } = await runCli(['init-sql']);
    await db.query(stdout);
    const [made, printed] = [await describeTables(world.db), await describeTables(db)];
    assert.equal(made.size, 9);
    assert.deepEqual(printed, made);
    // And init takes them for its own.
    const init = await world.run(['init', '--no-kafka'], { KAFKA_ROW_SENDER_DB_NAME: name });
    assert.match(init.stdout, /tables already there/);
  } finally {
    await db.end();
    await database.drop();
  }
});

test('init without rights is refused by the server, with exit code 3', async () => {
  const user = `krs_${world.prefix.slice(-10)}`;
  await world.db.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'x'`);
  await world.db.query(`CREATE USER '${user}'@'localhost' IDENTIFIED BY 'x'`);
  try {
    for (const host of ['%', 'localhost']) {
      await world.db.query(`GRANT SELECT ON \`${world.env.KAFKA_ROW_SENDER_DB_NAME}\`.* TO '${user}'@'${host}'`);
    }
    const { code, stderr } = await world.run(['init', '--no-kafka'], {
      KAFKA_ROW_SENDER_DB_USER: user,
      KAFKA_ROW_SENDER_DB_PASSWORD: 'x',
      KAFKA_ROW_SENDER_WATERMARK_TABLE: 'another_watermark',
    });
    assert.equal(code, 3, stderr);
    assert.match(stderr, /denied/);
  } finally {
    await world.db.query(`DROP USER '${user}'@'%', '${user}'@'localhost'`);
  }
});

test('a prefix that another deployment delivers under is refused before anything is made', async () => {
  const database = await createTestDatabase({ prefix: 'krs_cli_second' });
  const port = createKafkaPortOn(
    connectKafka({
      brokers: testEnvironment().kafkaBrokers,
      clientId: 'first',
      logger: silentLogger,
      prefix: world.prefix,
      outboxTable: 'kafka_row_sender_outbox',
    }),
  );
  try {
    const session = await port.open(`${world.prefix}.first`);
    await session.transact([], [{ kind: 'lane', lane: 0, value: 5 }]);
    await session.close();
    const { code, stdout, stderr } = await world.run(['init'], { KAFKA_ROW_SENDER_DB_NAME: database.name });
    assert.equal(code, 2, stderr);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^error: nothing was made: the prefix \S+ is in use, .*set another KAFKA_ROW_SENDER_KAFKA_TRANS/m,
    );
    const [tables] = await world.db.query('SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?', [
      database.name,
    ]);
    assert.deepEqual(tables, []);
    // The first one is not disturbed.
    assert.equal((await world.run(['init'])).code, 0);
  } finally {
    await port.close();
    await database.drop();
  }
});

test('config check tells every failure by itself, with the exit code that fits', async () => {
  const failures: readonly (readonly [Readonly<Record<string, string>>, number, RegExp])[] = [
    [{ KAFKA_ROW_SENDER_DB_PASSWORD: 'wrong' }, 3, /^FAILED {2}database .*denied/m],
    [{ KAFKA_ROW_SENDER_DB_PORT: '1' }, 3, /^FAILED {2}database .*ECONNREFUSED/m],
    [{ KAFKA_ROW_SENDER_DB_NAME: 'krs_nowhere' }, 2, /^FAILED {2}database .*[Uu]nknown database/m],
    [{ KAFKA_ROW_SENDER_SOURCE_TABLE: 'nothing' }, 2, /^FAILED {2}source nothing: .*does not exist/m],
    [{ KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN: 'nothing' }, 2, /^FAILED {2}source orders: .*nothing/m],
    [{ KAFKA_ROW_SENDER_SOURCE_WATERMARK_COLUMN: 'customer' }, 2, /^FAILED {2}source orders: .*integer/m],
    [{ KAFKA_ROW_SENDER_KAFKA_TOPIC: 'krs-nowhere' }, 3, /^FAILED {2}topic krs-nowhere: does not exist/m],
    [
      { KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1' },
      3,
      /^FAILED {2}kafka 127\.0\.0\.1:1: .*ECONNREFUSED/m,
    ],
    [
      { KAFKA_ROW_SENDER_REDIS_URL: 'redis://:geheim@127.0.0.1:1' },
      3,
      /^FAILED {2}redis redis:\/\/\*\*\*@.*ECONNREFUSED/m,
    ],
  ];
  for (const [settings, expected, line] of failures) {
    const { code, stdout, stderr } = await world.run(['config', 'check'], settings);
    assert.match(stdout, line);
    assert.equal(code, expected, stdout);
    assert.equal(stdout.match(/^FAILED/gm)?.length, 1, stdout);
    assert.doesNotMatch(stdout + stderr, /geheim|wrong/);
  }
});

test('a database that is away ends init with 3, after the time it was told to wait', async () => {
  const { code, stderr } = await world.run(['init', '--wait', '0.5'], { KAFKA_ROW_SENDER_DB_PORT: '1' });
  assert.equal(code, 3);
  assert.match(stderr, /waiting for the database/);
  assert.match(stderr, /^error: .*ECONNREFUSED/m);
});
