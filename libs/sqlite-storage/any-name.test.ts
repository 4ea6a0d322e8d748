/** Tables and columns of any name: statements name a row by its own column, whatever else is called `rowid`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { quoteKnownName } from '#database';
import {
  ConsumeQueue,
  createSenderStore,
  createSourceReader,
  createWriterStore,
  migrate,
  openSqliteFile,
} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-sqlite-names-'));
after(() => rmSync(folder, { recursive: true }));

const TABLES = {
  watermark: 'w',
  outbox: 'o',
  lane: 'l',
  member: 'm',
  deadLetter: 'd',
  topic: 't',
  gap: 'g',
  sourceFacts: 'source facts',
};
const ONE = { rowsMax: 1, bytesMax: 1_000_000 };
const NASTY = [
  'rowid',
  '_rowid_',
  'oid',
  'ROWID',
  'select',
  'order by',
  'größe',
  'naïve 🙂',
  'with "quotes"',
  "it's",
  '`tick`',
  '[bracket]',
  'a.b',
  'a,b',
  'seq',
  'n',
  'name',
  'pragma_table_xinfo',
  'json_each',
  '*',
  '?1',
  ':x',
  '1',
  ' ',
  'a--b',
  '/*',
  'a;b',
  'sqlite',
  '__proto__',
  'constructor',
];
const SOURCE = { name: 's', columns: null, keyColumn: null, topic: 'x', topicColumn: null };
const EVENT = {
  idColumn: 'id',
  routeColumn: 'aggregatetype',
  topicPrefix: 'outbox.event.',
  payloadColumn: 'payload',
  tracingColumn: { column: 'tracingspancontext', required: false },
  headersColumn: { column: 'headers', required: false },
  recordKeyColumn: { column: 'recordkey', required: false },
  topicColumn: { column: 'topic', required: false },
  headerColumns: [],
  archive: null,
};
let worlds = 0;

async function openWorld(create: string) {
  worlds += 1;
  const path = join(folder, `${worlds}.db`);
  const application = new DatabaseSync(path, { timeout: 5_000 });
  application.exec(create);
  const file = await openSqliteFile({ path });
  const close = () => {
    file.close();
    application.close();
  };
  return { application, file, close };
}

type World = Awaited<ReturnType<typeof openWorld>>;

/** Reads a batch at a time as the writer does, until nothing comes. */
async function readAll({ file }: World, table: string, watermarkColumn: string): Promise<readonly string[]> {
  const reader = await createSourceReader({ file, source: { ...SOURCE, table, watermarkColumn } });
  const values: string[] = [];
  let after = 0n;
  for (let steps = 0; ; steps += 1) {
    const { rows } = await reader.readAfter(after, ONE);
    const [row] = rows;
    if (row === undefined) break;
    assert.ok(steps < 10, `reads for ever: ${values.join(' ')}`);
    values.push(String(row.value));
    after = row.position;
  }
  assert.deepEqual(await reader.committedIn([{ from: 1n, to: 99n }], 10), [1n, 2n, 3n]);
  assert.equal(await reader.highestPosition(), 3n);
  assert.equal(await reader.nextPosition?.(), 4n);
  return values;
}

/** Moves a row at a time as a writer would, `movesMax` times at most; answers the values of the outbox in order. */
async function moveAll({ file }: World, table: string, movesMax = 10): Promise<readonly string[]> {
  await migrate(file, TABLES);
  const queue = new ConsumeQueue({
    file,
    source: { ...SOURCE, table, watermarkColumn: 'seq', event: EVENT },
    fileId: 'f',
  });
  const store = createWriterStore({ file, tables: TABLES, takeMoved: new Map([['s', queue.takeMoved]]) });
  await store.registerSource({ source: 's', position: 0n, gaps: [], lanes: 1 });
  const reader = await queue.openReader();
  for (let moves = 0; moves < movesMax; moves += 1) {
    const { position, nextSequence, epoch } = await store.beginTerm('s', 'one');
    const [row] = (await reader.readAfter(position, ONE)).rows;
    if (row === undefined) break;
    const next = { position: row.position, gaps: { put: [], drop: [] }, nextSequence: nextSequence + 1 };
    const messages = [{ ...row, id: nextSequence }];
    await store.append({ source: 's', epoch, expectedNextSequence: nextSequence, next, messages });
  }
  const limits = { rowsMax: 100, bytesMax: 1_000_000 };
  const [batch] = await createSenderStore({ file, tables: TABLES }).readBatches(
    [{ lane: 0, cursor: 0, rowsMax: 100 }],
    limits,
  );
  return (batch?.rows ?? []).map(({ value }) => String(value));
}

test('I1: mode append reads each row once and in id order, whatever another column is called', async () => {
  for (const name of NASTY.filter((name) => name !== 'id')) {
    const column = quoteKnownName(name);
    const world = await openWorld(
      `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, ${column} INTEGER); INSERT INTO t (${column}) VALUES (700), (700), (3)`,
    );
    const member = JSON.stringify(name);
    assert.deepEqual(
      await readAll(world, 't', 'id'),
      [`{"id":1,${member}:700}`, `{"id":2,${member}:700}`, `{"id":3,${member}:3}`],
      name,
    );
    world.close();
  }
});

test('I1: the table and its watermark column may have any name', async () => {
  for (const name of NASTY) {
    const quoted = quoteKnownName(name);
    const world = await openWorld(
      `CREATE TABLE ${quoted} (a INTEGER, ${quoted} INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO ${quoted} (a) VALUES (700), (700), (3)`,
    );
    assert.equal((await readAll(world, name, name)).length, 3, name);
    world.close();
  }
});

test('I1: mode consume moves exactly the rows that it takes out, whatever a column is called', async () => {
  for (const name of NASTY.filter((name) => name !== 'id')) {
    const column = quoteKnownName(name);
    // With a primary key of its own, and without one.
    for (const key of ['id INTEGER PRIMARY KEY', 'id TEXT']) {
      const world = await openWorld(
        `CREATE TABLE ${column} (${key}, ${column} INTEGER, payload TEXT);
         INSERT INTO ${column} (${column}, payload) VALUES (7, 'a'), (7, 'b'), (3, 'c')`,
      );
      assert.deepEqual(await moveAll(world, name, 2), ['a', 'b'], name);
      assert.deepEqual(
        world.application
          .prepare(`SELECT payload FROM ${column}`)
          .all()
          .map(({ payload }) => payload),
        ['c'],
        name,
      );
      world.close();
    }
  }
});

test('I1: generated columns, names that differ in a letter that is not ASCII, and a key that is no row id', async () => {
  const generated = await openWorld(
    `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a INTEGER, rowid INTEGER AS (a * 2), oid INTEGER AS (1) STORED);
     INSERT INTO t (a) VALUES (5), (5), (1)`,
  );
  assert.deepEqual(await readAll(generated, 't', 'ID'), [
    '{"id":1,"a":5,"rowid":10,"oid":1}',
    '{"id":2,"a":5,"rowid":10,"oid":1}',
    '{"id":3,"a":1,"rowid":2,"oid":1}',
  ]);
  generated.close();
  const letters = await openWorld(
    `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, "ä" INTEGER, "Ä" INTEGER, "\u212a" INTEGER, k INTEGER);
     INSERT INTO t ("ä", "Ä", "\u212a", k) VALUES (1, 2, 3, 4)`,
  );
  const source = { ...SOURCE, table: 't', watermarkColumn: 'id', columns: ['Ä', 'K'], keyColumn: 'Ä' };
  const [row] = (await (await createSourceReader({ file: letters.file, source })).readAfter(0n, ONE)).rows;
  assert.deepEqual([String(row?.key), String(row?.value)], ['2', '{"Ä":2,"k":4}']);
  letters.close();
  // A quirk of SQLite: this id is a column beside the row id, and may be NULL.
  const beside = await openWorld(
    "CREATE TABLE t (id INTEGER PRIMARY KEY DESC, payload TEXT); INSERT INTO t VALUES (9, 'a'), (NULL, 'b'), (1, 'c')",
  );
  assert.deepEqual(await moveAll(beside, 't'), ['a', 'b', 'c']);
  beside.close();
});

test('what cannot be told apart is refused in one line', async () => {
  const refused = async (create: string, table: string, message: RegExp) => {
    const { file, close } = await openWorld(create);
    const queue = new ConsumeQueue({
      file,
      source: { ...SOURCE, table, watermarkColumn: 'seq', event: EVENT },
      fileId: 'f',
    });
    await assert.rejects(queue.openReader(), { code: 'DB_SCHEMA', message });
    close();
  };
  await refused(
    'CREATE TABLE t (RowId, _ROWID_, oid, payload)',
    't',
    /rowid, _rowid_ and oid of t hide .*INTEGER PRIMARY KEY/,
  );
  await refused(
    'CREATE TABLE t (pay_load, payload_)',
    't',
    /pay_load and payload_ of .* t may both be meant by payload/,
  );
  await refused('CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)', 'sqlite_sequence', /a table of SQLite itself/);
});

test('I1: a column that goes away is told, and never read as a text of its name', async () => {
  const { application, file, close } = await openWorld(
    'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b TEXT); INSERT INTO t (a, b) VALUES (1, 2)',
  );
  const reader = await createSourceReader({ file, source: { ...SOURCE, table: 't', watermarkColumn: 'id' } });
  application.exec('ALTER TABLE t RENAME COLUMN id TO number');
  for (const read of [
    reader.readAfter(0n, ONE),
    reader.committedIn([{ from: 0n, to: 9n }], 9),
    reader.highestPosition(),
  ]) {
    await assert.rejects(read, { code: 'SOURCE_COLUMNS_GONE', message: /column id of source table t was delivered/ });
  }
  close();
});

test('tables of the application named like functions that SQLite makes tables of are in nobody’s way', async () => {
  const { file, close } = await openWorld(
    ['json_each', 'pragma_table_list', 'pragma_table_xinfo', 'pragma_index_list']
      .map((name) => `CREATE TABLE ${name} (id INTEGER PRIMARY KEY AUTOINCREMENT);`)
      .join(''),
  );
  await migrate(file, TABLES);
  const sender = createSenderStore({ file, tables: TABLES });
  assert.deepEqual(await sender.listAsideHeads([0, 1, 1023], 10), []);
  await createSourceReader({ file, source: { ...SOURCE, table: 'JSON_EACH', watermarkColumn: 'id' } });
  // SQLite takes both for one table: a file is not made anew by a setting in other letters.
  assert.equal((await migrate(file, { ...TABLES, watermark: 'W' })).outcome, 'already there');
  close();
});
