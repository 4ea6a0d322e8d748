/** A table of any name on SQLite: what the libraries that look for question marks themselves make of our statement. */
import assert from 'node:assert/strict';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { test } from 'node:test';
import { sql as tag } from 'drizzle-orm';
import { SQLiteSyncDialect } from 'drizzle-orm/sqlite-core';
import knexLibrary from 'knex';
import { drizzleTransaction, knexTransaction, OutboxRepository, outboxTableSql } from '../index.ts';

const TABLE = 'out?box "x?" \\? [?]';
const EVENT = { id: 'e?', type: 'T?', aggregateType: 'order', aggregateId: 'a?', payload: { x: '?' } };

function openDatabase(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  for (const sql of outboxTableSql({ table: TABLE, dialect: 'sqlite' })) db.exec(sql);
  return db;
}

const kept = (db: DatabaseSync) =>
  db.prepare(`SELECT id, type, aggregateid FROM "${TABLE.replaceAll('"', '""')}"`).all();
const EXPECTED = [{ id: 'e?', type: 'T?', aggregateid: 'a?' }];

test('knex', async () => {
  const db = openDatabase();
  const knex = knexLibrary({ client: 'better-sqlite3', useNullAsDefault: true });
  const trx = {
    isTransaction: true,
    async raw(sql: string, bindings: Readonly<Record<string, string | number | null | Buffer>> = {}) {
      const { sql: text, bindings: values } = knex.raw(sql, bindings).toSQL().toNative();
      db.prepare(text).run(...(values as SQLInputValue[]));
    },
  };
  await new OutboxRepository({ table: TABLE }).add(knexTransaction(trx, 'sqlite'), EVENT);
  assert.deepEqual(
    kept(db).map((row) => ({ ...row })),
    EXPECTED,
  );
  await knex.destroy();
});

test('drizzle', async () => {
  const db = openDatabase();
  const dialect = new SQLiteSyncDialect();
  const tx = {
    async execute(query: ReturnType<typeof tag>) {
      const { sql, params } = dialect.sqlToQuery(query);
      db.prepare(sql).run(...(params as SQLInputValue[]));
    },
    rollback: (): never => assert.fail('not asked for'),
  };
  await new OutboxRepository({ table: TABLE }).add(drizzleTransaction(tx, tag, 'sqlite'), EVENT);
  assert.deepEqual(
    kept(db).map((row) => ({ ...row })),
    EXPECTED,
  );
});
