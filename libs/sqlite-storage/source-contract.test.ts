/** The source contract on a table of an SQLite file, and what is SQLite's own: value types, schemas that cannot be a source. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { type SourceTransaction, sourceContract } from '#testkit';
import { createSourceReader, openSqliteFile } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-sqlite-source-'));
after(() => rmSync(folder, { recursive: true }));

const WIDE = { rowsMax: 1_000, bytesMax: 1_000_000 };
const SOURCE = {
  name: 'contract',
  table: 'events',
  watermarkColumn: 'id',
  columns: null,
  keyColumn: 'k',
  topic: 'events',
  topicColumn: null,
};

let worlds = 0;

async function openWorld(create: string) {
  worlds += 1;
  const path = join(folder, `${worlds}.db`);
  const application = new DatabaseSync(path, { timeout: 5_000 });
  application.exec(create);
  const file = await openSqliteFile({ path });
  const close = async () => {
    file.close();
    application.close();
  };
  return { path, application, file, close };
}

function beginOn(path: string): SourceTransaction {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec('BEGIN IMMEDIATE');
  const end = async (statement: string) => {
    db.exec(statement);
    db.close();
  };
  const insert = db.prepare('INSERT INTO events (k, body) VALUES (?, ?)');
  return {
    connection: path,
    insert: async (rows) => rows.map(({ key, body }) => BigInt(insert.run(key, body).lastInsertRowid)),
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
  };
}

sourceContract({
  name: 'SQLite',
  oneWriter: true,
  open: async () => {
    const world = await openWorld(
      'CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT, body TEXT NOT NULL)',
    );
    return {
      reader: await createSourceReader({ file: world.file, source: SOURCE }),
      begin: async () => beginOn(world.path),
      close: world.close,
    };
  },
});

test('every value of SQLite becomes exact JSON, whatever its column was declared as', async () => {
  const { application, file, close } = await openWorld(
    'CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, k, a, b JSON, "or""der" TEXT)',
  );
  try {
    const reader = await createSourceReader({ file, source: SOURCE });
    const insert = application.prepare('INSERT INTO events (k, a, b, "or""der") VALUES (?, ?, ?, ?)');
    insert.run(9_223_372_036_854_775_807n, 0.1 + 0.2, '{"n":[1,2]}', 'ä"\\\n');
    insert.run(Buffer.from([0, 255]), 1e300 * 1e10, 'no json', null);
    insert.run(2.5, -9_223_372_036_854_775_808n, null, Buffer.from('x'));
    const { rows } = await reader.readAfter(0n, WIDE);
    assert.deepEqual(
      rows.map(({ key, value }) => [key?.toString(), value?.toString()]),
      [
        [
          '9223372036854775807',
          '{"id":1,"k":9223372036854775807,"a":0.30000000000000004,"b":{"n":[1,2]},"or\\"der":"ä\\"\\\\\\n"}',
        ],
        ['AP8=', '{"id":2,"k":"AP8=","a":"Infinity","b":"no json","or\\"der":null}'],
        ['2.5', '{"id":3,"k":2.5,"a":-9223372036854775808,"b":null,"or\\"der":"eA=="}'],
      ],
    );
  } finally {
    await close();
  }
});

test('a column added later is delivered; one dropped, renamed or never there stops the source', async () => {
  const { application, file, close } = await openWorld(
    'CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT, body TEXT)',
  );
  try {
    const reader = await createSourceReader({ file, source: SOURCE });
    application.exec("ALTER TABLE events ADD COLUMN more TEXT; INSERT INTO events (more) VALUES ('m')");
    const { rows } = await reader.readAfter(0n, WIDE);
    assert.equal(rows[0]?.value?.toString(), '{"id":1,"k":null,"body":null,"more":"m"}');
    application.exec('ALTER TABLE events DROP COLUMN body');
    await assert.rejects(reader.readAfter(0n, WIDE), { code: 'SOURCE_COLUMNS_GONE' });
    await assert.rejects(createSourceReader({ file, source: SOURCE, delivered: reader.columns ?? null }), {
      code: 'SOURCE_COLUMNS_GONE',
    });
    await assert.rejects(createSourceReader({ file, source: { ...SOURCE, table: 'none' } }), {
      code: 'SOURCE_TABLE_MISSING',
    });
    for (const wrong of [{ keyColumn: 'none' }, { watermarkColumn: 'WatermarkId' }]) {
      await assert.rejects(createSourceReader({ file, source: { ...SOURCE, ...wrong } }), { code: 'DB_SCHEMA' });
    }
  } finally {
    await close();
  }
});

test('I1: a table whose ids come again, one without row ids and a view are refused', async () => {
  for (const create of [
    'CREATE TABLE events (id INTEGER PRIMARY KEY, k TEXT)',
    'CREATE TABLE events (id TEXT PRIMARY KEY, k TEXT)',
    'CREATE TABLE events (id INTEGER PRIMARY KEY, k TEXT) WITHOUT ROWID',
    'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT); CREATE VIEW events AS SELECT * FROM t',
  ]) {
    const { file, close } = await openWorld(create);
    try {
      await assert.rejects(createSourceReader({ file, source: SOURCE }), { code: 'DB_SCHEMA' });
    } finally {
      await close();
    }
  }
});
