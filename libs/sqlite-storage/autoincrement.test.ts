/** AUTOINCREMENT is told from a word that only looks like it. SQLite itself is asked: does it hand an id out again? */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { hasAutoincrement } from './has-autoincrement.ts';
import { createSourceReader, openSqliteFile } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-sqlite-autoincrement-'));
after(() => rmSync(folder, { recursive: true }));

/** Definitions of columns, `id` among them, of a table that takes `INSERT .. DEFAULT VALUES`. */
const WITHOUT = [
  'id INTEGER PRIMARY KEY',
  "id INTEGER PRIMARY KEY, a TEXT DEFAULT 'AUTOINCREMENT'",
  "id INTEGER PRIMARY KEY, a TEXT DEFAULT 'it''s AUTOINCREMENT'",
  'id INTEGER PRIMARY KEY, a TEXT DEFAULT "x AUTOINCREMENT"',
  'id INTEGER PRIMARY KEY -- AUTOINCREMENT\n, a',
  'id INTEGER PRIMARY KEY, a -- it\'s "no AUTOINCREMENT\n',
  'id INTEGER PRIMARY KEY /* AUTOINCREMENT */, a',
  "id INTEGER PRIMARY KEY /* ' */, a /* AUTOINCREMENT ' */",
  'id INTEGER PRIMARY KEY, "AUTOINCREMENT" INTEGER',
  'id INTEGER PRIMARY KEY, "a "" AUTOINCREMENT" INTEGER',
  'id INTEGER PRIMARY KEY, [AUTOINCREMENT] INTEGER',
  'id INTEGER PRIMARY KEY, [\' AUTOINCREMENT "] INTEGER',
  'id INTEGER PRIMARY KEY, `AUTOINCREMENT` INTEGER',
  'id INTEGER PRIMARY KEY, `a `` AUTOINCREMENT` INTEGER',
  "id INTEGER PRIMARY KEY, 'AUTOINCREMENT' INTEGER",
  'id INTEGER PRIMARY KEY, AUTOINCREMENT_ INTEGER',
  'id INTEGER PRIMARY KEY, MY$AUTOINCREMENT INTEGER',
  'id INTEGER PRIMARY KEY, ÄAUTOINCREMENT INTEGER',
  'id INTEGER PRIMARY KEY, AUTOINCREMENT🙂 INTEGER',
  'id INTEGER PRIMARY KEY, a "AUTOINCREMENT"',
  "id INTEGER PRIMARY KEY, a CHECK (a <> 'AUTOINCREMENT')",
  'id INTEGER PRIMARY KEY, a COLLATE NOCASE CHECK (a IS NOT "AUTOINCREMENT")',
  'id INTEGER PRIMARY KEY, CONSTRAINT "AUTOINCREMENT" CHECK (id > 0)',
  "id INTEGER PRIMARY KEY, a AS ('AUTOINCREMENT')",
  "id INTEGER PRIMARY KEY, a DEFAULT (x'41' || 'AUTOINCREMENT')",
  "id INTEGER PRIMARY KEY, a DEFAULT (1 - - 1 / 2), b DEFAULT 'AUTOINCREMENT'",
  'id INTEGER PRIMARY KEY, a REFERENCES "AUTOINCREMENT"',
  'id INTEGER, a, PRIMARY KEY (id)',
];
const WITH = [
  'id INTEGER PRIMARY KEY AUTOINCREMENT',
  'id integer primary key autoincrement',
  'id INTEGER PRIMARY KEY/**/AUTOINCREMENT',
  'id INTEGER PRIMARY KEY -- not the end\nAUTOINCREMENT',
  'id INTEGER PRIMARY KEY ASC ON CONFLICT ABORT AUTOINCREMENT NOT NULL',
  '"id" "INTEGER" CONSTRAINT "key" PRIMARY KEY AUTOINCREMENT',
  "[id] INTEGER PRIMARY KEY AUTOINCREMENT, a DEFAULT '''', b",
  'id INTEGER PRIMARY KEY AUTOINCREMENT, a DEFAULT (\'"\'), "b\'" TEXT',
  'id INTEGER, a, PRIMARY KEY (id AUTOINCREMENT)',
  'a /* \' " ` [ -- */, `id` INTEGER PRIMARY KEY AUTOINCREMENT',
  'id INTEGER PRIMARY KEY AUTOINCREMENT, a CHECK (length(a) < 9) -- the end\n',
];

/** By its deeds, and the text that SQLite keeps. */
function askSqlite(columns: string, options = ''): { readonly handsOutAgain: boolean; readonly text: string } {
  const db = new DatabaseSync(':memory:', {
    enableDoubleQuotedStringLiterals: true,
    enableForeignKeyConstraints: false,
  });
  try {
    db.exec(`CREATE TABLE t (${columns})${options}`);
    db.exec('INSERT INTO t DEFAULT VALUES; DELETE FROM t; INSERT INTO t DEFAULT VALUES');
    const text = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 't'").get()?.sql;
    return { handsOutAgain: db.prepare('SELECT id FROM t').get()?.id === 1, text: String(text) };
  } finally {
    db.close();
  }
}

test('I1: AUTOINCREMENT is seen where SQLite sees it, and nowhere else', () => {
  for (const [all, again] of [
    [WITHOUT, true],
    [WITH, false],
  ] as const) {
    for (const columns of all) {
      for (const options of ['', ' /* AUTOINCREMENT', " -- 'AUTOINCREMENT"]) {
        const { handsOutAgain, text } = askSqlite(columns, options);
        assert.equal(handsOutAgain, again, text);
        assert.equal(hasAutoincrement(text), !again, text);
      }
    }
  }
});

test('I1: STRICT changes nothing, and the text counts that SQLite will read when the file is opened anew', async () => {
  const strict = askSqlite('id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT', ' STRICT');
  assert.deepEqual([strict.handsOutAgain, hasAutoincrement(strict.text)], [false, true]);
  const path = join(folder, 'rewritten.db');
  const application = new DatabaseSync(path, { timeout: 5_000, defensive: false });
  application.exec(strict.text);
  const file = await openSqliteFile({ path });
  const reader = await createSourceReader({ file, source: SOURCE });
  application.exec(`PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, 'AUTOINCREMENT', '/* AUTOINCREMENT */') WHERE name = 't'`);
  await assert.rejects(reader.readAfter(0n, { rowsMax: 1, bytesMax: 1 }), { code: 'DB_SCHEMA' });
  application.exec("UPDATE sqlite_schema SET sql = replace(replace(sql, '/* ', ''), ' */', '') WHERE name = 't'");
  assert.deepEqual((await reader.readAfter(0n, { rowsMax: 1, bytesMax: 1 })).rows, []);
  file.close();
  application.close();
});

test('I1: SQLite takes the bare word for nothing else, on which the reading of the text rests', () => {
  for (const more of [
    'AUTOINCREMENT TEXT',
    'a AUTOINCREMENT',
    'a COLLATE AUTOINCREMENT',
    'a DEFAULT AUTOINCREMENT',
    'a DEFAULT (AUTOINCREMENT)',
    'a CHECK (AUTOINCREMENT(a))',
    'a CHECK (t.AUTOINCREMENT)',
    'a REFERENCES AUTOINCREMENT',
    'a UNIQUE AUTOINCREMENT',
    'CONSTRAINT AUTOINCREMENT CHECK (1)',
    'UNIQUE (id AUTOINCREMENT)',
    'a AS (1) AUTOINCREMENT',
    'a INTEGER PRIMARY KEY DESC AUTOINCREMENT',
  ]) {
    assert.throws(() => askSqlite(`id INTEGER PRIMARY KEY, ${more}`), { code: 'ERR_SQLITE_ERROR' }, more);
  }
});

const SOURCE = {
  name: 's',
  table: 't',
  watermarkColumn: 'id',
  columns: null,
  keyColumn: null,
  topic: 'x',
  topicColumn: null,
};

test('I1: mode append refuses a table that hands ids out again, in one line, and follows a table that is altered', async () => {
  const path = join(folder, 'refused.db');
  const application = new DatabaseSync(path, {
    timeout: 5_000,
    enableDoubleQuotedStringLiterals: true,
    enableForeignKeyConstraints: false,
  });
  application.exec('CREATE TABLE other (n INTEGER)');
  const file = await openSqliteFile({ path });
  const message =
    /^id of t is not INTEGER PRIMARY KEY AUTOINCREMENT, so SQLite would hand its numbers out again.*: make it so, or/;
  for (const columns of WITHOUT) {
    application.exec(`CREATE TABLE t (${columns})`);
    await assert.rejects(createSourceReader({ file, source: SOURCE }), { code: 'DB_SCHEMA', message }, columns);
    application.exec('DROP TABLE t');
  }
  for (const columns of WITH) {
    application.exec(
      `CREATE TABLE "before" (${columns}); INSERT INTO "before" DEFAULT VALUES; ALTER TABLE "before" RENAME TO t`,
    );
    const reader = await createSourceReader({ file, source: SOURCE });
    assert.equal(await reader.nextPosition?.(), 2n, columns);
    application.exec("DELETE FROM sqlite_sequence WHERE name = 't'");
    assert.equal(
      await reader.nextPosition?.(),
      1n,
      'the row keeps the id from being handed out only while it is there',
    );
    // As the manual has it for changes that ALTER TABLE cannot make.
    application.exec(
      'CREATE TABLE made_anew (id INTEGER PRIMARY KEY); DROP TABLE t; ALTER TABLE made_anew RENAME TO t',
    );
    await assert.rejects(reader.readAfter(0n, { rowsMax: 1, bytesMax: 1 }), { code: /DB_SCHEMA|SOURCE_COLUMNS_GONE/ });
    application.exec('DROP TABLE t');
  }
  file.close();
  application.close();
});

test('I1: what stands in sqlite_sequence is read as SQLite reads it', async () => {
  const path = join(folder, 'sequence.db');
  const application = new DatabaseSync(path, { timeout: 5_000 });
  application.exec(
    'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE "T2" (id INTEGER PRIMARY KEY AUTOINCREMENT)',
  );
  const file = await openSqliteFile({ path });
  const reader = await createSourceReader({ file, source: SOURCE });
  for (const leftovers of [
    "('t', 41)",
    "('t', '41')",
    "('t', 41.9)",
    "('T', 7), ('T2', 99), ('t', 41), ('t', 5)",
    "('t', 0)",
    "('t', -7)",
    "('t', NULL)",
    "('t', 'none')",
    "('t', 4611686018427387904)",
    "('T', 41)",
  ]) {
    application.exec(
      `DELETE FROM t; DELETE FROM sqlite_sequence; INSERT INTO sqlite_sequence (name, seq) VALUES ${leftovers}`,
    );
    const next = await reader.nextPosition?.();
    application.exec('INSERT INTO t DEFAULT VALUES');
    const [row] = application.prepare('SELECT CAST(id AS TEXT) AS id FROM t').all();
    assert.equal(String(next), row?.id, leftovers);
  }
  file.close();
  application.close();
});
