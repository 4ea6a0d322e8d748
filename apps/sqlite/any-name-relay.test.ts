/** The relay on tables of any name, and on a table whose ids are handed out again, on real Kafka. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { OutboxRepository, sqliteTransaction } from '#application-outbox';
import { createTestTopic, readTopic, spawnApp } from '#testkit';
import { openSqliteWorld, type SqliteWorld } from '../test/sqlite-world.ts';

const DEADLINE_MS = 60_000;
const TIMEOUT = { timeout: 3 * DEADLINE_MS };

let world: SqliteWorld;
let db: DatabaseSync;

before(async () => {
  world = await openSqliteWorld();
  db = new DatabaseSync(world.file, { timeout: 5_000 });
});

after(async () => {
  db?.close();
  await world?.close();
});

interface Settings {
  readonly table: string;
  readonly mode: 'append' | 'consume';
  readonly [setting: string]: string;
}

/** Settings of a source, with a topic of its own. */
async function sourceOf({ table, mode, ...more }: Settings): Promise<Readonly<Record<string, string>>> {
  const { name } = await createTestTopic({ partitions: 1 });
  const settings = {
    SOURCE_TABLE: table,
    SOURCE_MODE: mode,
    SOURCE_EVENT_HEADERS: '',
    LANES: '1',
    KAFKA_TOPIC: name,
    ...more,
  };
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [`KAFKA_ROW_SENDER_${key}`, value]));
}

const valuesIn = async (env: Readonly<Record<string, string>>) =>
  (await readTopic(env.KAFKA_ROW_SENDER_KAFKA_TOPIC as string)).map(({ value }) => value?.toString());

const relay = (env: Readonly<Record<string, string>>) =>
  spawnApp('apps/cli/main.ts', { ...world.env, ...env }, { args: ['run'] });
const isOpened = ({ msg }: { readonly msg?: string }) => msg === 'database file opened';

/** Starts a relay, waits until verify is content, and stops it. */
async function deliver(env: Readonly<Record<string, string>>, expected: number): Promise<void> {
  const app = relay(env);
  await app.waitForLog(isOpened, DEADLINE_MS);
  const verified = await world.run(['verify', '--wait', '30'], env);
  assert.match(
    verified.stdout,
    new RegExp(`delivered ${expected} of ${expected}: 0 missing, 0 duplicated`),
    verified.stderr,
  );
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  assert.equal((await app.stop()).code, 0);
}

test('I1: a column named rowid: each row once and in id order, moved as it is taken out', TIMEOUT, async () => {
  db.exec('CREATE TABLE watched (id INTEGER PRIMARY KEY AUTOINCREMENT, rowid INTEGER, what TEXT)');
  db.exec("INSERT INTO watched (rowid, what) VALUES (700, 'a'), (700, 'b'), (3, 'c')");
  const watched = await sourceOf({ table: 'watched', mode: 'append', SOURCE_WATERMARK_COLUMN: 'id' });
  await deliver(watched, 3);
  assert.deepEqual(await valuesIn(watched), [
    '{"id":1,"rowid":700,"what":"a"}',
    '{"id":2,"rowid":700,"what":"b"}',
    '{"id":3,"rowid":3,"what":"c"}',
  ]);
  db.exec('CREATE TABLE taken (id INTEGER PRIMARY KEY, rowid INTEGER, payload TEXT, aggregateid TEXT)');
  db.exec("INSERT INTO taken (rowid, payload, aggregateid) VALUES (7, 'a', 'k'), (7, 'b', 'k')");
  const taken = await sourceOf({ table: 'taken', mode: 'consume', OUTBOX_WRITER_BATCH_SIZE: '1' });
  await deliver(taken, 2);
  assert.deepEqual(await valuesIn(taken), ['a', 'b']);
  assert.equal(db.prepare('SELECT COUNT(*) AS n FROM taken').get()?.n, 0);
});

test('names with spaces, quotes, dots and letters of any language, from init to verify', TIMEOUT, async () => {
  const table = 'bestell "liste" größe.2 -- ?';
  const quoted = '"bestell ""liste"" größe.2 -- ?"';
  const event = await sourceOf({ table, mode: 'consume', SOURCE_NAME: 'named', SOURCE_EVENT_HEADERS: 'type:type' });
  const unnamed = await world.run(['config'], { ...event, KAFKA_ROW_SENDER_SOURCE_NAME: '' });
  assert.match(unnamed.stderr, /größe\.2 -- \? cannot be the name of a source; set .*SOURCE_NAME too, to letters/);
  const made = await world.run(['init', '--event-tables'], event);
  assert.equal(made.code, 0, made.stderr);
  const outbox = new OutboxRepository({ table });
  const added = { type: 'OrderPlaced', aggregateType: 'order', aggregateId: '1', payload: { n: 1 } };
  db.exec('BEGIN IMMEDIATE');
  outbox.addSync(sqliteTransaction(db), added);
  db.exec('COMMIT');
  assert.equal(db.prepare(`SELECT COUNT(*) AS n FROM ${quoted}`).get()?.n, 1);
  const checked = await world.run(['config', 'check'], event);
  assert.match(checked.stdout, /ok {6}source named: table bestell "liste" größe\.2 -- \?, mode consume/);
  await deliver(event, 1);
  assert.deepEqual(await valuesIn(event), ['{"n":1}']);
  db.exec(
    `CREATE TABLE "order" ("Schlüssel Nr." INTEGER PRIMARY KEY AUTOINCREMENT, "my key" TEXT, "a,b" TEXT, "SELECT" TEXT);
     INSERT INTO "order" ("my key", "a,b", "SELECT") VALUES ('k', 'x', 'y')`,
  );
  const columns = {
    SOURCE_WATERMARK_COLUMN: 'schlüssel nr.',
    KAFKA_KEY_COLUMN: 'my key',
    SOURCE_COLUMNS: 'SELECT,my key',
  };
  const rows = await sourceOf({ table: 'order', mode: 'append', ...columns });
  await deliver(rows, 1);
  assert.deepEqual(await valuesIn(rows), ['{"SELECT":"y","my key":"k"}']);
  const status = JSON.parse((await world.run(['status', '--json'], rows)).stdout);
  const source = status.sources.find(({ name }: { name: string }) => name === 'order');
  assert.deepEqual([source.watermark, source.highest, source.problem], ['1', '1', null]);
});

test(
  'I1: ids that are handed out again are noticed by an idle relay, verify, status and config check',
  TIMEOUT,
  async () => {
    db.exec(`CREATE TABLE "it's" (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT)`);
    db.exec(`INSERT INTO "it's" (what) VALUES ('a'), ('b'), ('c')`);
    const env = await sourceOf({ table: "it's", mode: 'append', SOURCE_NAME: 'its', SOURCE_WATERMARK_COLUMN: 'id' });
    const idle = relay(env);
    await idle.waitForLog(isOpened, DEADLINE_MS);
    assert.equal((await world.run(['verify', '--wait', '30'], env)).code, 0);
    db.exec(`DELETE FROM sqlite_sequence WHERE name = 'it''s'`);
    const halted = await idle.waitForLog(({ event }) => event === 'source-halted', 5_000);
    const why =
      /sqlite_sequence lets table it's hand out id 1 again, and rows up to id 3 were moved: .* Run (.*), insert rows/;
    assert.match(JSON.stringify(halted), why);
    await idle.kill();
    db.exec(`DELETE FROM "it's" WHERE id > 1; INSERT INTO "it's" (what) VALUES ('d')`);
    const verified = await world.run(['verify'], env);
    assert.match(verified.stdout, /0 missing/, 'an id delivered before is all that a comparison can see');
    assert.equal(verified.code, 1, verified.stdout);
    assert.match(verified.stderr, /source its: sqlite_sequence lets table it's hand out id 3 again/);
    const checked = await world.run(['config', 'check'], env);
    assert.equal(checked.code, 2);
    assert.match(checked.stdout, /FAILED {2}source its: sqlite_sequence lets table it's/);
    const { sources } = JSON.parse((await world.run(['status', '--json'], env)).stdout);
    assert.match(sources.find(({ name }: { name: string }) => name === 'its').problem, /hand out id 3 again/);
    const again = relay(env);
    await again.waitForLog(({ event }) => event === 'source-halted', DEADLINE_MS, 'a restart does not pass over it');
    await again.kill();
    const [, restore] = why.exec(String(halted.reason ?? halted.message)) ?? [];
    db.exec(restore as string);
    db.exec(`INSERT INTO "it's" (what) VALUES ('d again')`);
    const accepted = await world.run(['source', 'accept', 'its', '--from', 'next'], env);
    assert.equal(accepted.code, 0, accepted.stderr);
    await deliver(env, 3);
    assert.deepEqual((await valuesIn(env)).at(-1), '{"id":4,"what":"d again"}');
  },
);

test('I1: the word alone is refused, and START_FROM ahead of the ids is no fault', TIMEOUT, async () => {
  db.exec("CREATE TABLE reuses (id INTEGER PRIMARY KEY, what TEXT DEFAULT 'AUTOINCREMENT') -- AUTOINCREMENT");
  const refused = relay(await sourceOf({ table: 'reuses', mode: 'append', SOURCE_WATERMARK_COLUMN: 'id' }));
  const halted = await refused.waitForLog(({ event }) => event === 'source-halted', DEADLINE_MS);
  assert.match(
    JSON.stringify(halted),
    /id of reuses is not INTEGER PRIMARY KEY AUTOINCREMENT, .* use source mode consume/,
  );
  assert.equal((await refused.exit).code, 2);
  db.exec(
    "CREATE TABLE ahead (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT); INSERT INTO ahead (what) VALUES ('a')",
  );
  const env = await sourceOf({ table: 'ahead', mode: 'append', SOURCE_WATERMARK_COLUMN: 'id', START_FROM: '3' });
  const app = relay(env);
  await app.waitForLog(({ event }) => event === 'term-begun', DEADLINE_MS);
  db.exec("INSERT INTO ahead (what) VALUES ('b'), ('c'), ('d')");
  assert.equal((await world.run(['verify', '--wait', '30'], env)).code, 0);
  assert.deepEqual(await valuesIn(env), ['{"id":3,"what":"c"}', '{"id":4,"what":"d"}']);
  assert.equal((await app.stop()).code, 0);
});

test(
  'an event id of the application that begins with the source’s name is compared like any other',
  TIMEOUT,
  async () => {
    db.exec(
      "CREATE TABLE mine (id TEXT, payload TEXT, aggregateid TEXT); INSERT INTO mine VALUES ('mine:17', 'a', 'k'), ('mine:x:1', 'b', 'k')",
    );
    await deliver(await sourceOf({ table: 'mine', mode: 'consume' }), 2);
  },
);
