/** On SQLite values are bound: each byte is stored as it was given. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { OutboxRepository, outboxTableSql, rawFormatter, sqliteTransaction } from './index.ts';

const ATTACKS = ['dq"dq', 'back\\slash', "O'Brien", "', 'x') -- ", 'a\0b', '? ?1 :x @x $x', '😀', ' a ', '\ufeffa'];

test('texts with quotes, backslashes and NUL', () => {
  const db = new DatabaseSync(':memory:');
  for (const sql of outboxTableSql({ dialect: 'sqlite' })) db.exec(sql);
  const outbox = new OutboxRepository({ formatter: rawFormatter() });
  db.exec('BEGIN IMMEDIATE');
  for (const attack of ATTACKS) {
    outbox.addSync(sqliteTransaction(db), {
      id: attack,
      type: attack,
      aggregateType: 'order',
      aggregateId: attack,
      payload: Buffer.from(attack),
      key: attack,
      headers: { [attack]: attack, b: "{a:'b'}" },
    });
  }
  db.exec('COMMIT');
  const columns = ['id', 'type', 'aggregateid', 'recordkey'].map((name) => `CAST(${name} AS BLOB) AS ${name}`);
  const rows = db.prepare(`SELECT ${columns.join(', ')}, payload, headers, topic FROM outboxevent ORDER BY seq`).all();
  const text = (value: unknown) => Buffer.from(value as Uint8Array).toString();
  for (const [n, attack] of ATTACKS.entries()) {
    const row = rows[n] ?? {};
    for (const name of ['id', 'type', 'aggregateid', 'recordkey', 'payload']) assert.equal(text(row[name]), attack);
    const { [attack]: own, b } = JSON.parse(String(row.headers));
    assert.deepEqual([own, b], [attack, "{a:'b'}"]);
    assert.equal(row.topic, null);
  }
  assert.equal(rows.length, ATTACKS.length);
  // As the relay reads them: the driver's own texts, not cut at a NUL.
  const read = db.prepare('SELECT aggregateid FROM outboxevent ORDER BY seq').all();
  assert.deepEqual(
    read.map(({ aggregateid }) => aggregateid),
    ATTACKS,
  );
  db.close();
});
