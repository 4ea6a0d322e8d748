/**
 * The relay on databases that do what databases do: hostile settings, errors that nobody has heard of, locks, a demoted primary, one
 * that is paused, and a successor that has not got everything. Nothing ends, and what must not go on says so.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type App, failOnLeaks, readTopic, until } from '#testkit';
import { type Database, openTwoDatabases, TABLE, type TwoDatabases } from './two-databases.ts';

const DEADLINE_MS = 30_000;
/** Errors of the server that may come at any statement, and pass; 1644 is what a trigger says of itself. */
const ERRNOS = [1615, 1206, 1105, 3100, 1180, 1041, 1114, 3024, 1317, 1028, 1030, 1644, 1213, 1461, 60_001];
const NOTES = ['ä€😀', 'O\'Brien \\ "x" %_`', '\u0000\n\t', 'x'.repeat(20_000)];

let world: TwoDatabases;
let writer: App;
let sender: App;
let inserted = 0;
let promotedAt = '';

before(async () => {
  world = await openTwoDatabases();
  await world.deployment.init();
  writer = world.deployment.writer();
  sender = world.deployment.sender();
});
after(async () => {
  await world?.close();
});
failOnLeaks();

/** Rows of two customers, in order. */
async function insert(database = world.first, notes: readonly string[] = ['row']): Promise<void> {
  const rows = notes.flatMap((note) => ['ann', 'bob'].map((customer) => [customer, note]));
  await database.query(`INSERT INTO ${TABLE} (customer, note) VALUES ?`, [rows]);
  inserted += rows.length;
}

/** Every row once, and in order: ids come in order, since one statement at a time is committed. */
async function arrived(what: string): Promise<void> {
  const records = await until(
    what,
    async () => {
      const found = await readTopic(world.deployment.topic);
      return found.length >= inserted && found;
    },
    DEADLINE_MS,
  ).catch((thrown: unknown) => {
    throw new Error(`${thrown}\nwriter: ${writer.output()}\nsender: ${sender.output()}`);
  });
  const ids = records.map(({ headers }) => Number(headers.id?.split(':')[1]));
  assert.equal(ids.length, inserted, what);
  assert.equal(new Set(ids).size, inserted, what);
  for (const key of ['ann', 'bob']) {
    const own = records.filter((record) => record.key === key).map(({ headers }) => Number(headers.id?.split(':')[1]));
    assert.deepEqual(own, [...own].sort((a, b) => a - b), `${what}: ${key}`); // biome-ignore format: one thought
  }
  assert.ok(writer.running && sender.running, what);
}

test('settings and init_connect that would change statements: rows arrive byte by byte', async () => {
  await insert(world.first, NOTES);
  await arrived('the first rows');
  const values = (await readTopic(world.deployment.topic)).map(({ value }) => JSON.parse(String(value)).note);
  assert.deepEqual(new Set(values), new Set(NOTES));
});

test('whatever number the server gives, both try again, say it, and go on when it is over', async () => {
  const { first } = world;
  await first.query('CREATE TABLE faults (errno INT NOT NULL) ENGINE=InnoDB');
  await first.query('INSERT INTO faults VALUES (0)');
  for (const table of ['kafka_row_sender_watermark', 'kafka_row_sender_lane']) {
    await first.query(`CREATE TRIGGER ${table}_fails BEFORE UPDATE ON ${table} FOR EACH ROW BEGIN
      DECLARE n INT DEFAULT (SELECT errno FROM faults);
      IF n > 0 THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = n; END IF; END`);
  }
  for (const errno of ERRNOS) {
    const [seenW, seenS] = [writer.log.length, sender.log.length];
    await first.query('UPDATE faults SET errno = ?', [errno]);
    await insert();
    const said = (app: App, kind: string, from: number) =>
      until(`${kind} on ${errno}`, () => app.log.slice(from).find((line) => line.event === kind), DEADLINE_MS);
    const lines = await Promise.all([said(writer, 'writer-retry', seenW), said(sender, 'sender-retry', seenS)]);
    if (errno === 1644 || errno === 60_001) {
      for (const { code, reason } of lines) {
        assert.equal(code, 'DB_UNKNOWN');
        assert.match(String(reason), new RegExp(`error ${errno}, SQLSTATE 45000`));
      }
    }
    await first.query('UPDATE faults SET errno = 0');
  }
  await arrived('rows after the errors');
});

test('prepared statements used up: what has none waits, and goes on', async () => {
  const { first } = world;
  await first.query('SET GLOBAL max_prepared_stmt_count = 0');
  const from = writer.log.length;
  await first.query('KILL USER relay');
  await insert();
  const isFull = () => writer.log.slice(from).some(({ code }) => code === 'DB_FULL');
  await until('the writer to say it', isFull, DEADLINE_MS);
  await first.query('SET GLOBAL max_prepared_stmt_count = 16382');
  await arrived('rows after the limit');
});

test('a table that is locked: nothing of ours piles up at the server', async () => {
  const { first } = world;
  await first.query(`LOCK TABLES ${TABLE} WRITE, faults WRITE`);
  await insert();
  const from = writer.log.length;
  const retries = () => writer.log.slice(from).filter(({ event }) => event === 'writer-retry').length;
  await until('the writer to have given up some times', () => retries() >= 3, DEADLINE_MS);
  const count = "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = 'relay' AND INFO IS NOT NULL";
  const [row] = await first.query<{ n: number }>(count);
  assert.ok(Number(row?.n) <= 8, String(row?.n));
  await first.query('UNLOCK TABLES');
  await arrived('rows after the lock');
});

test('a topic longer than any: the row is refused by its policy, and those around it arrive', async () => {
  const { first } = world;
  await insert();
  const insertTopic = `INSERT INTO ${TABLE} (customer, note, topic) VALUES ('eve', 'no', ?)`;
  for (const topic of ['t'.repeat(2_000), 'ü'.repeat(249), 'a b']) await first.query(insertTopic, [topic]);
  await insert();
  await arrived('rows around those without a topic');
  const isDead = () =>
    sender.log.filter(({ event }) => event === 'row-dead' || event === 'row-retry-failed').length >= 3;
  await until('the rows to be refused', isDead, DEADLINE_MS);
});

test('a primary that was demoted with its sessions kept: both go on at its successor', async () => {
  const { first, second, proxy } = world;
  await first.setReadOnly(true);
  await second.catchUp(first);
  promotedAt = await second.promote();
  proxy.leadTo(second.server);
  await insert(second);
  await arrived('rows at the successor');
  await until('no session to be at the old one', async () => (await relaySessions(first)) === 0, DEADLINE_MS);
});

async function relaySessions(database: Database): Promise<number> {
  const count = "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = 'relay'";
  const [row] = await database.query<{ n: number }>(count);
  return Number(row?.n);
}

test('a primary that stands still: both go on at its successor', async () => {
  const { first, second, proxy } = world;
  await first.follow(second, promotedAt);
  await insert(second);
  await arrived('rows before the pause');
  await first.catchUp(second);
  second.server.pause();
  await first.promote();
  proxy.leadTo(first.server);
  await insert(first);
  await arrived('rows after the pause');
});

test('a successor that has not got everything: the source halts, and nothing is passed over', async () => {
  const { first, second, proxy } = world;
  second.server.resume();
  await first.setReadOnly(true);
  proxy.leadTo(second.server);
  const halted = await writer.waitForLog(({ event }) => event === 'source-halted', DEADLINE_MS);
  assert.equal(halted.code, 'SOURCE_HALTED');
  assert.match(String(halted.reason), /went back|older than Kafka/);
  assert.equal((await readTopic(world.deployment.topic)).length, inserted);
  assert.ok(writer.running && sender.running);
});
