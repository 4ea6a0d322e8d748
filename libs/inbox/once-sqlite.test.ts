/** `once` on a file of Node's own SQLite, with a second connection as the other process. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, beforeEach, test } from 'node:test';
import type { EachBatchPayload } from 'kafkajs';
import { eventIdFromPosition, inboxRunConfig, inboxTableSql, once, pruneInbox, transactOnce } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-inbox-'));
const file = join(folder, 'app.db');
const db = new DatabaseSync(file, { timeout: 0 });
db.exec('PRAGMA journal_mode = WAL');
for (const sql of [...inboxTableSql({ dialect: 'sqlite' }), ...inboxTableSql({ dialect: 'sqlite' })]) db.exec(sql);
db.exec('CREATE TABLE effects (event TEXT)');

after(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  if (db.isTransaction) db.exec('ROLLBACK');
  db.exec('DELETE FROM kafka_row_sender_inbox; DELETE FROM effects');
});

const effect = (event: string) => (tx: DatabaseSync) => tx.prepare('INSERT INTO effects VALUES (?)').run(event);
const count = (table: string) => Number(db.prepare(`SELECT COUNT(*) AS n FROM ${table}`).get()?.n);

test('handled once, then a duplicate; a rolled back one is handled again', () => {
  for (const [end, outcome] of [
    ['ROLLBACK', 'handled'],
    ['COMMIT', 'handled'],
    ['COMMIT', 'duplicate'],
  ] as const) {
    db.exec('BEGIN');
    assert.equal(once(db, 'a', effect('a')), outcome);
    db.exec(end);
  }
  assert.equal(count('effects'), 1);
});

test('a handler that throws, or is asynchronous, leaves neither id nor effect, even if the caller commits', () => {
  db.exec('BEGIN');
  const failing = (tx: DatabaseSync) => {
    effect('a')(tx);
    throw new Error('no');
  };
  assert.throws(() => once(db, 'a', failing), /no/);
  assert.throws(() => once(db, 'b', async (tx) => effect('b')(tx)), { code: 'CONFIG_INVALID' });
  db.exec('COMMIT');
  assert.deepEqual([count('kafka_row_sender_inbox'), count('effects')], [0, 0]);
});

test('without a transaction, and with one that ends inside the handler', () => {
  assert.throws(() => once(db, 'a', effect('a')), { code: 'CONFIG_INVALID' });
  assert.equal(count('effects'), 0);
  db.exec('BEGIN');
  assert.throws(() => once(db, 'a', (tx) => tx.exec('ROLLBACK')), { code: 'DB_TRANSIENT' });
  assert.equal(count('kafka_row_sender_inbox'), 0);
});

test('ids are exact, consumers are apart, an id that does not fit is refused', () => {
  db.exec('BEGIN');
  for (const id of ['a', 'A', 'a '])
    assert.equal(
      once(db, id, () => null),
      'handled',
    );
  assert.equal(
    once(db, 'a', () => null, { consumer: 'other' }),
    'handled',
  );
  assert.throws(() => once(db, '', () => null), { code: 'DB_ROW_REFUSED' });
});

test('transactOnce: commits or rolls back; while another process writes it rejects and can be tried again', async () => {
  const other = new DatabaseSync(file, { timeout: 0 });
  try {
    other.exec('BEGIN IMMEDIATE');
    await assert.rejects(transactOnce(db, 'a', effect('a')), { errcode: 5 });
    assert.equal(db.isTransaction, false);
    other.exec('ROLLBACK');
    assert.equal(await transactOnce(db, 'a', effect('a')), 'handled');
    assert.equal(await transactOnce(other, 'a', effect('a')), 'duplicate');
    assert.equal(count('effects'), 1);
  } finally {
    other.close();
  }
});

test('as a kafkajs consumer, with or without onOutcome: each message is handled, then its offset resolved', async () => {
  for (const onOutcome of [undefined, () => undefined]) {
    db.exec('DELETE FROM kafka_row_sender_inbox; DELETE FROM effects');
    const resolved: string[] = [];
    const config = inboxRunConfig({
      database: db,
      handler: (tx, { eventId }) => effect(eventId)(tx),
      ...(onOutcome === undefined ? {} : { onOutcome }),
    });
    const message = (offset: string) => ({ offset, headers: { id: Buffer.from(`e${offset}`) } });
    await config.eachBatch?.({
      batch: { topic: 't', partition: 0, messages: ['0', '1', '0'].map(message) },
      resolveOffset: (offset: string) => void resolved.push(`${offset}:${count('effects')}`),
      heartbeat: async () => undefined,
      commitOffsetsIfNecessary: async () => undefined,
      isRunning: () => true,
      isStale: () => false,
    } as unknown as EachBatchPayload);
    assert.deepEqual(resolved, ['0:1', '1:2', '0:2']);
  }
});

test('known by position: read again it is a duplicate, in a topic made anew it is not, and every id fits', async () => {
  const at = (value: string, timestamp = '1700000000000') => ({
    offset: '7',
    timestamp,
    key: Buffer.from('k'),
    value: Buffer.from(value),
  });
  const idOf = (message: ReturnType<typeof at>, topic = 'orders') => eventIdFromPosition(message, topic, 0);
  assert.equal(idOf(at('a')), idOf(at('a')));
  const ids = [idOf(at('a')), idOf(at('b')), idOf(at('a'), 'invoices'), idOf(at('a', '1700000000001'))];
  assert.equal(new Set(ids).size, 4);
  const outcomes: string[] = [];
  for (const id of [...ids, idOf(at('a'), 'x'.repeat(249)), ids[0] ?? ''])
    outcomes.push(await transactOnce(db, id, () => 0));
  assert.deepEqual(outcomes, ['handled', 'handled', 'handled', 'handled', 'handled', 'duplicate']);
});

test('retention: only what is older, in batches, and says when more is due', async () => {
  for (let i = 0; i < 6; i += 1) await transactOnce(db, `${i}`, effect('x'), { clock: { wallMs: () => i * 1_000 } });
  const options = { retentionMs: 1_000, batchRowsMax: 1, clock: { wallMs: () => 5_000 } };
  assert.deepEqual(await pruneInbox(db, { ...options, batchesMax: 3 }), { rows: 3, done: false });
  assert.deepEqual(await pruneInbox(db, options), { rows: 1, done: true });
  assert.equal(count('kafka_row_sender_inbox'), 2);
});

test('the inbox may have any name', async () => {
  for (const table of ['in.box', 'my "inbox"', 'größe 1', "it's", 'order']) {
    for (const sql of inboxTableSql({ dialect: 'sqlite', table })) db.exec(sql);
    const rows = () => Number(db.prepare(`SELECT COUNT(*) AS n FROM "${table.replaceAll('"', '""')}"`).get()?.n);
    assert.equal(await transactOnce(db, 'a', effect('a'), { table }), 'handled');
    assert.equal(await transactOnce(db, 'a', effect('a'), { table }), 'duplicate');
    assert.equal(rows(), 1);
    const clock = { wallMs: () => Date.now() + 1_000 };
    assert.deepEqual(await pruneInbox(db, { table, retentionMs: 1, clock }), { rows: 1, done: true });
    assert.equal(rows(), 0);
  }
  assert.throws(() => inboxTableSql({ table: 'inbox ' }), { code: 'CONFIG_INVALID' });
  assert.throws(() => inboxTableSql({ dialect: 'sqlite', table: 'a\0b' }), { code: 'CONFIG_INVALID' });
});
