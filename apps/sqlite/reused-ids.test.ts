/** When may SQLite hand an id out again that the relay has passed? Tried on a file, without Kafka. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { createSourceReader, openSqliteFile } from '#sqlite-storage';
import { findReusedIds, refuseReusedIds } from './reused-ids.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-sqlite-reused-'));
after(() => rmSync(folder, { recursive: true }));

const LIMITS = { rowsMax: 10, bytesMax: 1_000_000 };
const SOURCE = {
  name: 's',
  table: 't',
  watermarkColumn: 'id',
  columns: null,
  keyColumn: null,
  topic: 'x',
  topicColumn: null,
};
const WATCHED = { table: 't', startFrom: 'earliest' } as const;
let worlds = 0;

/** A table with ids 1 to 5, all of them moved. */
async function openWorld() {
  worlds += 1;
  const path = join(folder, `${worlds}.db`);
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (1), (2), (3), (4), (5)');
  const file = await openSqliteFile({ path });
  const reader = await createSourceReader({ file, source: SOURCE });
  const close = () => {
    file.close();
    db.close();
  };
  return { db, reader, close };
}

const COPY =
  'CREATE TABLE new (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO new SELECT id FROM t; DROP TABLE t; ALTER TABLE new RENAME TO t';

test('I1: a table that may hand an id out again halts its source, with the statement that mends it', async () => {
  for (const [change, next] of [
    ["DELETE FROM sqlite_sequence WHERE name = 't'", 1],
    ['DELETE FROM sqlite_sequence', 1],
    ['UPDATE sqlite_sequence SET seq = 4', 5],
    ['UPDATE sqlite_sequence SET seq = NULL', 1],
    ["UPDATE sqlite_sequence SET name = 'T'", 1],
    ['DELETE FROM t; DELETE FROM sqlite_sequence', 1],
    ['DELETE FROM t; DELETE FROM sqlite_sequence; INSERT INTO t DEFAULT VALUES', 2],
    ['DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)', 1],
    [`DELETE FROM t WHERE id > 3; ${COPY}`, 4],
  ] as const) {
    const { db, reader, close } = await openWorld();
    db.exec(change);
    const message = new RegExp(
      `lets table t hand out id ${next} again, and rows up to id 5 were moved: .* Run (.*), insert rows`,
    );
    const refusing = refuseReusedIds(reader, WATCHED);
    await assert.rejects(refusing.readAfter(5n, LIMITS), { code: 'SOURCE_WENT_BACK', message }, change);
    const [, restore] = message.exec((await findReusedIds(reader, WATCHED, 5n)) ?? '') ?? [];
    db.exec(restore as string);
    db.exec('INSERT INTO t DEFAULT VALUES');
    const { rows } = await refusing.readAfter(5n, LIMITS);
    assert.deepEqual(
      rows.map(({ position }) => position),
      [6n],
      change,
    );
    close();
  }
});

test('I1: a table that hands out new ids only is read on', async () => {
  for (const change of [
    'SELECT 1',
    'DELETE FROM t',
    'DELETE FROM t WHERE id = 5; INSERT INTO t DEFAULT VALUES',
    'UPDATE sqlite_sequence SET seq = 99',
    'ALTER TABLE t RENAME TO t2; ALTER TABLE t2 RENAME TO t',
    COPY,
    'CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO other DEFAULT VALUES; DROP TABLE other',
    'INSERT INTO t VALUES (1000)',
  ]) {
    const { db, reader, close } = await openWorld();
    db.exec(change);
    await refuseReusedIds(reader, WATCHED).readAfter(5n, LIMITS);
    close();
  }
});

test('I1: ids below START_FROM are not missed, as long as nothing was moved', async () => {
  const { reader, close } = await openWorld();
  const source = { table: 't', startFrom: 100n };
  assert.equal(await findReusedIds(reader, source, 99n), null);
  assert.match((await findReusedIds(reader, source, 100n)) ?? '', /hand out id 6 again, and rows up to id 100/);
  assert.match((await findReusedIds(reader, { ...source, startFrom: 'latest' }, 99n)) ?? '', /hand out id 6 again/);
  close();
});
