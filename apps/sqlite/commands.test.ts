/** The command line on a file: what works, what says that it does not, and a second relay that stands by. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { createTestTopic, type LogLine, spawnApp, until } from '#testkit';
import { openSqliteWorld, type SqliteWorld } from '../test/sqlite-world.ts';

const DEADLINE_MS = 60_000;

let world: SqliteWorld;
let db: DatabaseSync;

before(async () => {
  world = await openSqliteWorld();
});

after(async () => {
  if (db?.isOpen) db.close();
  await world?.close();
});

const relay = () => spawnApp('apps/cli/main.ts', world.env, { args: ['run'] });
const isOpened = ({ msg }: { readonly msg?: string }) => msg === 'database file opened';

test('without a file, and with an address that is none: one line, 3 and 2', async () => {
  const status = await world.run(['status']);
  assert.deepEqual([status.code, status.stderr.trim().split('\n').length], [3, 1], status.stderr);
  assert.match(status.stderr, /there is no file .*app\.db/);
  const address = await world.run(['status', '--db', 'mysql://localhost/x']);
  assert.equal(address.code, 2);
  assert.match(address.stderr, /--db: "mysql:.*give sqlite:PATH/);
});

test('init makes file, tables and marker topic, twice; config check and status read them', async () => {
  const made = await world.run(['init', '--event-tables']);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /tables created in .*app\.db[\s\S]*outbox table made[\s\S]*marker topic created/);
  assert.match((await world.run(['init'])).stdout, /tables already there[\s\S]*marker topic already there/);
  db = new DatabaseSync(world.file, { timeout: 5_000 });
  db.exec('DROP TABLE users_outbox');
  const missing = await world.run(['config', 'check']);
  assert.equal(missing.code, 2);
  assert.match(missing.stdout, /FAILED {2}source users_outbox: there is no table users_outbox/);
  db.exec('CREATE TABLE users_outbox (id INTEGER PRIMARY KEY, aggregateId INTEGER, eventType TEXT, payload TEXT)');
  const checked = await world.run(['config', 'check']);
  assert.equal(checked.code, 0, checked.stdout);
  const status = JSON.parse((await world.run(['status', '--json'])).stdout);
  assert.deepEqual([status.sources[0].table, status.lanes.length, status.backlog.rows], ['users_outbox', 0, 0]);
});

test('what is for servers says so in one line, with 2', async () => {
  for (const words of [['doctor'], ['lane', 'grow', 'users_outbox', '8'], ['verify', '--background']]) {
    const { code, stderr } = await world.run(words);
    assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], `${words}: ${stderr}`);
    assert.match(stderr, /SQLite file/);
  }
  for (const entry of ['apps/writer/main.ts', 'apps/sender/main.ts']) {
    const app = spawnApp(entry, world.env);
    assert.equal((await app.exit).code, 2, app.output());
    assert.match(app.output(), /on an SQLite file there is one process, run/);
  }
});

test('a second relay stands by and takes over from one that is killed; lanes are paused and resumed', {
  timeout: 3 * DEADLINE_MS,
}, async () => {
  const first = relay();
  await first.waitForLog(isOpened, DEADLINE_MS);
  const second = relay();
  await second.waitForLog(({ event }) => event === 'standing-by', DEADLINE_MS);
  const insert = db.prepare('INSERT INTO users_outbox (aggregateId, eventType, payload) VALUES (?, ?, ?)');
  for (let n = 0; n < 20; n += 1) insert.run(n, 'UserCreated', `{"n":${n}}`);
  await first.waitForLog(({ event }) => event === 'lane-taken', DEADLINE_MS);
  await first.kill();
  await second.waitForLog(isOpened, DEADLINE_MS);
  for (let n = 20; n < 40; n += 1) insert.run(n, 'UserCreated', `{"n":${n}}`);
  const verified = await world.run(['verify', '--wait', '60']);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  assert.match(verified.stdout, /delivered 40 of 40: 0 missing, 0 duplicated, 0 out of order/);
  assert.match((await world.run(['lane', 'pause', 'all'])).stdout, /lane 0 is paused/);
  // Its holder lets go at its next look at the lanes; until then it may deliver.
  const lost = () => second.log.filter(({ event }) => event === 'lane-lost').length >= 4;
  await until('the relay lets go of its lanes', lost, DEADLINE_MS);
  insert.run(40, 'UserCreated', '{"n":40}');
  const late = await world.run(['verify', '--wait', '3']);
  assert.equal(late.code, 1, late.stdout);
  assert.match(late.stdout, /pending 1/);
  assert.match((await world.run(['lane', 'resume', 'all'])).stdout, /lane 3 is running/);
  await until('the last event', async () => (await world.records()).length === 41, DEADLINE_MS);
  assert.equal((await second.stop()).code, 0);
});

test('mode append: rows stay, and verify compares them one by one', { timeout: 2 * DEADLINE_MS }, async () => {
  db.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT, amount REAL)');
  const env = {
    KAFKA_ROW_SENDER_SOURCE_TABLE: 'orders',
    KAFKA_ROW_SENDER_SOURCE_MODE: 'append',
    KAFKA_ROW_SENDER_SOURCE_EVENT_HEADERS: '',
    KAFKA_ROW_SENDER_SOURCE_WATERMARK_COLUMN: 'id',
    KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN: 'customer',
  };
  const app = spawnApp('apps/cli/main.ts', { ...world.env, ...env }, { args: ['run'] });
  await app.waitForLog(isOpened, DEADLINE_MS);
  const insert = db.prepare('INSERT INTO orders (customer, amount) VALUES (?, ?)');
  for (let n = 0; n < 30; n += 1) insert.run(`c${n % 4}`, n / 2);
  db.exec('DELETE FROM orders WHERE id = 30');
  insert.run('c0', 1);
  const verified = await world.run(['verify', '--wait', '60'], env);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  assert.match(verified.stdout, /delivered 30 of 30: 0 missing/);
  const { name: other } = await createTestTopic({ partitions: 1 });
  const moved = await world.run(['verify'], { ...env, KAFKA_ROW_SENDER_KAFKA_TOPIC: other });
  assert.match(moved.stdout, /delivered 30 of 30: 0 missing/, 'the topic of before is looked at, too');
  assert.equal((await app.stop()).code, 0);
  assert.equal(db.prepare('SELECT COUNT(*) AS n FROM orders').get()?.n, 30);
});

test('a column dropped, and a table emptied whose ids begin anew: halted until source accept, also after a restart', {
  timeout: 3 * DEADLINE_MS,
}, async () => {
  db.exec('CREATE TABLE visits (id INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT, what TEXT)');
  const env = {
    KAFKA_ROW_SENDER_SOURCE_TABLE: 'visits',
    KAFKA_ROW_SENDER_SOURCE_MODE: 'append',
    KAFKA_ROW_SENDER_SOURCE_EVENT_HEADERS: '',
    KAFKA_ROW_SENDER_SOURCE_WATERMARK_COLUMN: 'id',
    KAFKA_ROW_SENDER_KAFKA_KEY_COLUMN: 'who',
  };
  const start = () => spawnApp('apps/cli/main.ts', { ...world.env, ...env }, { args: ['run'] });
  const isHalted = ({ event }: LogLine) => event === 'source-halted';
  const insert = (tag: string, count: number) => {
    for (let n = 0; n < count; n += 1) db.exec(`INSERT INTO visits (who) VALUES ('${tag}${n}')`);
  };
  let app = start();
  await app.waitForLog(isOpened, DEADLINE_MS);
  insert('a', 10);
  assert.equal((await world.run(['verify', '--wait', '60'], env)).code, 0);
  db.exec('ALTER TABLE visits DROP COLUMN what');
  insert('b', 2);
  await app.waitForLog(isHalted, DEADLINE_MS);
  await app.kill();
  app = start();
  await app.waitForLog(isHalted, DEADLINE_MS);
  assert.match(
    (await world.run(['status'], env)).stdout,
    /source visits is halted: column what .*source accept visits/,
  );
  assert.match((await world.run(['source', 'accept', 'visits'], env)).stdout, /not delivered any more: what/);
  assert.equal((await world.run(['verify', '--wait', '60'], env)).code, 0);
  db.exec("DELETE FROM visits; DELETE FROM sqlite_sequence WHERE name = 'visits'");
  insert('c', 3);
  await until('the halt', async () => app.log.filter(isHalted).length === 2, DEADLINE_MS);
  const accepted = await world.run(['source', 'accept', 'visits', '--from', 'first'], env);
  assert.match(accepted.stdout, /goes back from 12 to 0; event ids are visits:2:<id>/, accepted.stderr);
  const verified = await world.run(['verify', '--wait', '60'], env);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  const ids = (await world.records()).map(({ headers }) => headers.id ?? '').filter((id) => id.startsWith('visits:'));
  assert.equal(ids.length, 15);
  assert.deepEqual(ids.filter((id) => id.startsWith('visits:2:')).sort(), ['visits:2:1', 'visits:2:2', 'visits:2:3']);
  assert.equal((await app.stop()).code, 0);
});
