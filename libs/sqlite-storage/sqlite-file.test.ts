/** One connection among others: who waits for whom, what is refused, and what happens when the file goes away. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { type Clock, systemClock } from '#runtime';
import { until } from '#testkit';
import { fileIdOf, migrate, openSqliteFile, tryRelayLock, watchCommits } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-sqlite-file-'));
after(() => rmSync(folder, { recursive: true }));

const TABLES = {
  watermark: 'w',
  outbox: 'o',
  lane: 'l',
  member: 'm',
  deadLetter: 'd',
  topic: 't',
  gap: 'g',
  sourceFacts: 'f',
};
let files = 0;
const newPath = (): string => {
  files += 1;
  return join(folder, `${files}.db`);
};

test('while the application writes, others go on: the relay waits without blocking the process, up to its deadline', async () => {
  const path = newPath();
  const file = await openSqliteFile({ path, create: true, busyDeadlineMs: 10_000 });
  const hasty = await openSqliteFile({ path, busyDeadlineMs: 30 });
  await file.write((sql) => sql.run('CREATE TABLE t (n INTEGER)'));
  const application = new DatabaseSync(path);
  application.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES (1)');
  const writing = file.write((sql) => sql.run('INSERT INTO t VALUES (2)'));
  await assert.rejects(
    hasty.write((sql) => sql.run('INSERT INTO t VALUES (3)')),
    { code: 'DB_TRANSIENT' },
  );
  const count = 'SELECT COUNT(*) AS n FROM t';
  assert.equal(await file.read((sql) => sql.get<{ n: number }>(count)?.n), 0, 'a reader never waits');
  application.exec('COMMIT');
  await writing;
  assert.equal(await file.read((sql) => sql.get<{ n: number }>(count)?.n), 2);
  for (const each of [file, hasty, application]) each.close();
});

test('a transaction that fails leaves nothing behind and nothing open', async () => {
  const path = newPath();
  const file = await openSqliteFile({ path, create: true });
  await file.write((sql) => sql.run('CREATE TABLE t (n INTEGER)'));
  await assert.rejects(
    file.write((sql) => {
      sql.run('INSERT INTO t VALUES (1)');
      sql.run('INSERT INTO nowhere VALUES (1)');
    }),
    { code: 'DB_SCHEMA' },
  );
  const application = new DatabaseSync(path);
  application.exec('INSERT INTO t VALUES (2)');
  assert.deepEqual(await file.read((sql) => sql.all<{ n: number }>('SELECT n FROM t').map(({ n }) => n)), [2]);
  application.close();
  file.close();
});

test('after holding the lock for long the application gets its turn', async () => {
  let nowMs = 0;
  const slept: number[] = [];
  const clock: Clock = {
    ...systemClock,
    nowMs: () => nowMs,
    sleep: async (ms) => {
      slept.push(ms);
      nowMs += ms;
    },
  };
  const file = await openSqliteFile({ path: newPath(), create: true, clock });
  await file.write(() => {
    nowMs += 30;
  });
  await file.write(() => undefined);
  assert.deepEqual(slept, [15]);
  file.close();
});

test('no file, no database, and tables of a newer version are refused by their codes', async () => {
  await assert.rejects(openSqliteFile({ path: newPath() }), { code: 'DB_UNREACHABLE' });
  await assert.rejects(openSqliteFile({ path: join(folder, 'none', 'a.db'), create: true }), {
    code: 'DB_UNREACHABLE',
  });
  const path = newPath();
  writeFileSync(path, 'this is no database, and long enough to be taken for one '.repeat(100));
  await assert.rejects(openSqliteFile({ path }), { code: 'DB_UNSUPPORTED' });
  const file = await openSqliteFile({ path: newPath(), create: true });
  await assert.rejects(fileIdOf(file, TABLES), { code: 'DB_SCHEMA' });
  assert.equal((await migrate(file, TABLES)).outcome, 'created');
  const id = await fileIdOf(file, TABLES);
  assert.equal((await migrate(file, TABLES)).outcome, 'already there');
  assert.match(id, /^[0-9a-f]{12}$/);
  assert.equal(await fileIdOf(file, TABLES), id);
  await file.write((sql) => sql.run('UPDATE w_file SET schema_version = 99'));
  await assert.rejects(migrate(file, TABLES), { code: 'DB_UNSUPPORTED' });
  await assert.rejects(migrate(file, { ...TABLES, outbox: 'a\0b' }), { code: 'CONFIG_INVALID' });
  file.close();
});

test('I8: a file deleted or replaced under the relay stops it', async () => {
  const path = newPath();
  let nowMs = 0;
  const file = await openSqliteFile({ path, create: true, clock: { ...systemClock, nowMs: () => nowMs } });
  await file.write((sql) => sql.run('CREATE TABLE t (n INTEGER)'));
  renameSync(path, `${path}.old`);
  nowMs += 2_000;
  await assert.rejects(
    file.read(() => undefined),
    { code: 'INVARIANT_BROKEN', message: /deleted/ },
  );
  new DatabaseSync(path).close();
  nowMs += 2_000;
  await assert.rejects(
    file.read(() => undefined),
    { code: 'INVARIANT_BROKEN', message: /replaced/ },
  );
  file.close();
});

test('one relay a file: the second gets no lock until the first has gone, and the application is not in its way', () => {
  const path = newPath();
  const application = new DatabaseSync(path);
  application.exec('CREATE TABLE t (n INTEGER); BEGIN IMMEDIATE');
  const first = tryRelayLock(path);
  assert.ok(first !== null);
  assert.equal(tryRelayLock(path), null);
  application.exec('COMMIT');
  first.release();
  const second = tryRelayLock(path);
  assert.ok(second !== null);
  second.release();
  application.close();
  assert.throws(() => tryRelayLock(join(folder, 'none', 'a.db')), { code: 'DB_UNREACHABLE' });
});

test('commits of others are noticed', async () => {
  const path = newPath();
  const file = await openSqliteFile({ path, create: true });
  await file.write((sql) => sql.run('CREATE TABLE t (n INTEGER)'));
  let noticed = 0;
  const unwatch = watchCommits(path, () => {
    noticed += 1;
  });
  const application = new DatabaseSync(path);
  application.exec('INSERT INTO t VALUES (1)');
  await until('the commit was noticed', () => noticed > 0, 5_000);
  unwatch();
  watchCommits(join(folder, 'nowhere.db'), () => undefined)();
  application.close();
  file.close();
});
