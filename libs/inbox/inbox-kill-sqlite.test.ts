/** The inbox in an SQLite file under a consumer that is killed: each effect exactly once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { inboxKillContract } from '#testkit';
import { inboxTableSql } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-inbox-kill-'));
const file = join(folder, 'app.db');
const db = new DatabaseSync(file, { timeout: 5_000 });

inboxKillContract({
  title: 'a consumer killed at random, on SQLite: each effect exactly once',
  kills: 2,
  child: 'libs/inbox/inbox-consumer-sqlite.child.ts',
  settings: () => ({ file }),
  prepare: async () => {
    db.exec('PRAGMA journal_mode = WAL');
    for (const sql of inboxTableSql({ dialect: 'sqlite' })) db.exec(sql);
    db.exec('CREATE TABLE effects (event TEXT NOT NULL)');
  },
  effects: async () => {
    const row = db.prepare('SELECT COUNT(*) AS n, COUNT(DISTINCT event) AS d FROM effects').get();
    return { all: Number(row?.n), distinct: Number(row?.d) };
  },
  inspect: () => assert.equal(db.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok'),
  dispose: async () => {
    db.close();
    rmSync(folder, { recursive: true });
  },
});
