/** Ids on a connection whose sql_mode and character set the application chose: each is its own, or is refused. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { createTestDatabase, type TestDatabase } from '#testkit';
import { inboxTableSql, once, pruneInbox } from './index.ts';

let database: TestDatabase;
let connection: Connection;
let reader: Connection;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_inbox_values' });
  const { host, port, user, password, name } = database;
  const address = { host, port, user, password, database: name };
  connection = await mysql.createConnection(address);
  reader = await mysql.createConnection({ ...address, charset: 'utf8mb4' });
});

after(async () => {
  await connection?.end();
  await reader?.end();
  await database?.drop();
});

beforeEach(async () => {
  for (const sql of ['DROP TABLE IF EXISTS kafka_row_sender_inbox', ...inboxTableSql()]) await reader.query(sql);
});

const IDS = [
  'a',
  'A',
  'a ',
  'a\0',
  "O'Brien",
  'dq"dq',
  'back\\slash',
  "\\', X'62', NOW()) -- ",
  "縗', X'62') -- ",
  '表',
  '😀',
];

async function handle(id: string, consumer = 'default'): Promise<string> {
  await connection.beginTransaction();
  try {
    return await once(connection, id, () => undefined, { consumer });
  } finally {
    await connection.commit();
  }
}

test('each id is stored byte by byte, in every sql_mode and character set', async (t) => {
  t.after(() => connection.query("SET NAMES utf8mb4, sql_mode = ''"));
  for (const mode of ['', 'NO_BACKSLASH_ESCAPES', 'ANSI', 'STRICT_ALL_TABLES', 'PAD_CHAR_TO_FULL_LENGTH']) {
    for (const charset of ['utf8mb4', 'latin1', 'gbk', 'sjis', 'big5']) {
      await connection.query(`SET sql_mode = '${mode}', NAMES ${charset}`);
      for (const id of IDS) {
        assert.equal(await handle(id, "x'\\"), 'handled', `${mode} ${charset} ${id}`);
        assert.equal(await handle(id, "x'\\"), 'duplicate', `${mode} ${charset} ${id}`);
      }
      const [rows] = await reader.query<RowDataPacket[]>('SELECT consumer, event_id FROM kafka_row_sender_inbox');
      assert.deepEqual(rows.map(({ event_id }) => String(event_id)).sort(), [...IDS].sort(), `${mode} ${charset}`);
      assert.deepEqual([...new Set(rows.map(({ consumer }) => String(consumer)))], ["x'\\"]);
      assert.deepEqual(
        await pruneInbox(connection, { retentionMs: 1, batchRowsMax: 1_000 }).then(({ done }) => done),
        true,
      );
      await reader.query('DELETE FROM kafka_row_sender_inbox');
    }
  }
});

test('an id that the table would cut is refused, and the caller may go on', async () => {
  const alter = 'ALTER TABLE kafka_row_sender_inbox MODIFY event_id VARBINARY(4) NOT NULL';
  await reader.query(alter);
  await connection.query("SET sql_mode = ''");
  await assert.rejects(handle('long id 1'), { code: 'DB_ROW_REFUSED', message: /does not keep an id/ });
  assert.equal(await handle('id'), 'handled');
  const [rows] = await reader.query<RowDataPacket[]>('SELECT event_id FROM kafka_row_sender_inbox');
  assert.deepEqual(
    rows.map(({ event_id }) => String(event_id)),
    ['id'],
  );
});

test('two ids that are the same bytes of UTF-8 only by replacement are refused', async () => {
  for (const id of ['a\ud800', 'a\ud801', '\udc00']) await assert.rejects(handle(id), { code: 'DB_ROW_REFUSED' });
  await assert.rejects(handle('a', 'c\ud800'), { code: 'CONFIG_INVALID' });
});
