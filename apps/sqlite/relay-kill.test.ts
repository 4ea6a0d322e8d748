/**
 * Real processes on one file and real Kafka: two applications write without a break while the relay is killed at random and at
 * the places where it hurts most. Every event is in Kafka exactly once and in order, the file is whole, and no application
 * ever met SQLITE_BUSY.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { type App, type LogLine, seededRandom, spawnApp, testSeed, until } from '#testkit';
import { openSqliteWorld, type SqliteWorld } from '../test/sqlite-world.ts';

const USERS = 40;
const KILLS = 4;
const CRASHES = ['writer-after-cas', 'writer-before-commit', 'writer-after-append'];
const DEADLINE_MS = 60_000;
/** Far below the applications' busy timeout of 5 s. */
const WAITED_MS_MAX = 2_500;

let world: SqliteWorld;

before(async () => {
  world = await openSqliteWorld();
});

after(async () => {
  await world?.close();
});

const relay = (more: Readonly<Record<string, string>> = {}): App =>
  spawnApp('apps/cli/main.ts', { ...world.env, KAFKA_ROW_SENDER_LOG_LEVEL: 'debug', ...more }, { args: ['run'] });

const application = (name: string, seed: number): App => {
  const plan = { file: world.file, name, stopFile: `${world.file}.stop`, users: USERS, seed, pauseMs: 8 };
  return spawnApp('apps/sqlite/application.child.ts', {}, { args: [JSON.stringify(plan)] });
};

const isDelivered = ({ event }: LogLine) => event === 'delivered';

test('I4, I5: relay killed at random under load: every event once, in order, the file whole', async () => {
  const seed = testSeed();
  const random = seededRandom(seed);
  const message = `KRS_TEST_SEED=${seed}`;
  const applications = [application('one', seed % 65_536), application('two', (seed >> 3) % 65_536)];
  await Promise.all(applications.map((app) => app.waitForLog(({ msg }) => msg === 'started', DEADLINE_MS)));
  for (const place of CRASHES) {
    const app = relay({ KRS_CRASH_AT: `${place}:${1 + Math.floor(random() * 5)}` });
    assert.equal((await app.exit).signal, 'SIGKILL', `${place}, ${message}: ${app.output()}`);
  }
  for (let kill = 0; kill < KILLS; kill += 1) {
    const app = relay();
    await app.waitForLog(isDelivered, DEADLINE_MS, 'a delivery');
    const wanted = app.log.length + Math.floor(random() * 40);
    await until('some more work', () => app.log.length >= wanted, DEADLINE_MS);
    await app.kill();
  }
  const last = relay();
  await last.waitForLog(isDelivered, DEADLINE_MS, 'a delivery');
  writeFileSync(`${world.file}.stop`, '');
  const ends = await Promise.all(applications.map((app) => app.waitForLog(({ msg }) => msg === 'ended', DEADLINE_MS)));
  for (const end of ends)
    assert.ok(Number(end.waitedMsMax) < WAITED_MS_MAX, `an application waited ${end.waitedMsMax} ms`);
  const committed = ends.reduce((sum, end) => sum + Number(end.committed), 0);
  const verified = await world.run(['verify', '--wait', '60']);
  assert.equal(verified.code, 0, `${message}\n${verified.stdout}${verified.stderr}${last.output()}`);
  assert.match(
    verified.stdout,
    new RegExp(`delivered ${committed} of ${committed}: 0 missing, 0 duplicated, 0 out of order`),
  );
  await checkRecords(committed, message);
  assert.equal((await last.stop()).code, 0);
  checkFile();
});

/** By what the application wrote, not by what the relay says. */
async function checkRecords(committed: number, message: string): Promise<void> {
  const records = await world.records();
  assert.equal(records.length, committed, message);
  assert.equal(new Set(records.map(({ headers }) => headers.id)).size, committed, message);
  const lastOf = new Map<number, number>();
  for (const { value, key, headers } of records) {
    const { user, n } = JSON.parse(String(value)) as { user: number; n: number };
    assert.equal(key, String(user));
    assert.equal(headers.type, 'UserChanged');
    assert.equal(n, (lastOf.get(user) ?? 0) + 1, `events of user ${user}, ${message}`);
    lastOf.set(user, n);
  }
}

function checkFile(): void {
  const db = new DatabaseSync(world.file, { timeout: 5_000 });
  try {
    assert.equal(db.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
    for (const table of ['users_outbox', 'kafka_row_sender_outbox', 'kafka_row_sender_dead_letter']) {
      assert.equal(db.prepare(`SELECT COUNT(*) AS n FROM ${table}`).get()?.n, 0, table);
    }
  } finally {
    db.close();
  }
}
