/** Mode `consume`: rows leave the application's table in the transaction that moves them, once and in order. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import type { EventDefinition, OutboxRow, SourceRow } from '#outbox';
import { ConsumeQueue, createSenderStore, createWriterStore, migrate, openSqliteFile } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'krs-sqlite-consume-'));
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
const LIMITS = { rowsMax: 100, bytesMax: 1_000_000 };
const BY_HAND = 'CREATE TABLE users_outbox (id INTEGER PRIMARY KEY, aggregateId INTEGER, eventType TEXT, payload TEXT)';
const SOURCE = {
  name: 'users',
  table: 'users_outbox',
  watermarkColumn: 'seq',
  columns: null,
  keyColumn: 'aggregateid',
  topic: 'users',
  topicColumn: null,
};
const optional = (column: string) => ({ column, required: false });
const EVENT = {
  idColumn: 'id',
  routeColumn: 'aggregatetype',
  topicPrefix: 'outbox.event.',
  payloadColumn: 'payload',
  tracingColumn: optional('tracingspancontext'),
  headersColumn: optional('headers'),
  recordKeyColumn: optional('recordkey'),
  topicColumn: optional('topic'),
  headerColumns: [] as { column: string; header: string }[],
  archive: null,
};
let worlds = 0;

async function openWorld(create = BY_HAND, more: Partial<EventDefinition> = {}, topic: string | null = 'users') {
  worlds += 1;
  const path = join(folder, `${worlds}.db`);
  const application = new DatabaseSync(path, { timeout: 5_000 });
  application.exec(create);
  const file = await openSqliteFile({ path });
  await migrate(file, TABLES);
  const queue = new ConsumeQueue({ file, source: { ...SOURCE, topic, event: { ...EVENT, ...more } }, fileId: 'f' });
  const takeMoved = new Map([['users', queue.takeMoved]]);
  const store = createWriterStore({ file, tables: TABLES, takeMoved });
  await store.registerSource({ source: 'users', position: 0n, gaps: [], lanes: 1 });
  /** Reads a batch, lets the application do something, and appends it as a writer would. */
  const move = async (between: () => void = () => undefined, limits = LIMITS): Promise<number> => {
    const state = await store.beginTerm('users', 'one');
    const { rows } = await (await queue.openReader()).readAfter(state.position, limits);
    between();
    const first = state.nextSequence;
    const messages = rows.map((row: SourceRow, at) => ({ ...row, id: first + at }));
    const next = {
      position: rows.at(-1)?.position ?? state.position,
      gaps: { put: [], drop: [] },
      nextSequence: first + rows.length,
    };
    const outcome = await store.append({
      source: 'users',
      epoch: state.epoch,
      expectedNextSequence: first,
      next,
      messages,
    });
    assert.equal(outcome, 'committed');
    return rows.length;
  };
  const moved = async (): Promise<readonly OutboxRow[]> => {
    const sender = createSenderStore({ file, tables: TABLES });
    const [batch] = await sender.readBatches([{ lane: 0, cursor: 0, rowsMax: 1_000 }], { ...LIMITS, rowsMax: 1_000 });
    return batch?.rows ?? [];
  };
  const close = () => {
    file.close();
    application.close();
  };
  return { application, queue, move, moved, close };
}

test('a table written by hand: key, type and payload by the names of its columns', async () => {
  const { application, move, moved, close } = await openWorld(BY_HAND, {
    headerColumns: [{ column: 'event_type', header: 'type' }],
  });
  application.exec("INSERT INTO users_outbox (aggregateId, eventType, payload) VALUES (7, 'UserCreated', '{\"n\":1}')");
  application.exec('INSERT INTO users_outbox (aggregateId, eventType, payload) VALUES (7, NULL, NULL)');
  await move();
  const rows = await moved();
  assert.deepEqual(
    rows.map(({ eventId, topic, key, value, headers }) => [eventId, topic, String(key), value?.toString(), headers]),
    [
      ['users:f:1', 'users', '7', '{"n":1}', { type: 'UserCreated' }],
      ['users:f:2', 'users', '7', undefined, null],
    ],
  );
  assert.equal(application.prepare('SELECT COUNT(*) AS n FROM users_outbox').get()?.n, 0);
  close();
});

test('I1: ids that SQLite hands out again are new rows, moved once each and in order', async () => {
  const { application, move, moved, close } = await openWorld();
  const few = { rowsMax: 3, bytesMax: 1_000_000 };
  const insert = application.prepare('INSERT INTO users_outbox (payload) VALUES (?)');
  const written: string[] = [];
  for (let round = 0; round < 6; round += 1) {
    for (let n = 0; n < 4; n += 1) {
      written.push(`${round}.${n}`);
      insert.run(`${round}.${n}`);
    }
    await move(undefined, few);
    if (round % 2 === 1) while ((await move(undefined, few)) > 0);
  }
  const rows = await moved();
  assert.deepEqual(
    rows.map(({ value }) => value?.toString()),
    written,
  );
  assert.equal(new Set(rows.map(({ eventId }) => eventId)).size, written.length);
  close();
});

test('a row changed, deleted or replaced between reading and moving rolls the batch back, and is moved as it is then', async () => {
  const changes = [
    "UPDATE users_outbox SET payload = 'changed' WHERE id = 2",
    'DELETE FROM users_outbox WHERE id = 2',
    "DELETE FROM users_outbox WHERE id = 2; INSERT INTO users_outbox VALUES (2, NULL, NULL, 'replaced')",
  ];
  for (const [index, change] of changes.entries()) {
    const { application, move, moved, close } = await openWorld();
    application.exec("INSERT INTO users_outbox (payload) VALUES ('a'), ('b'), ('c')");
    await assert.rejects(
      move(() => application.exec(change)),
      { code: 'DB_TRANSIENT' },
    );
    assert.deepEqual(await moved(), []);
    await move();
    const expected = [
      ['a', 'changed', 'c'],
      ['a', 'c'],
      ['a', 'replaced', 'c'],
    ][index];
    assert.deepEqual(
      (await moved()).map(({ value }) => String(value)),
      expected,
    );
    close();
  }
});

test('the package’s own outbox table: id, topic, key, headers and trace of each event', async () => {
  const { application, move, moved, close } = await openWorld(
    `CREATE TABLE users_outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, aggregatetype TEXT, aggregateid TEXT,
     type TEXT, payload BLOB, timestamp INTEGER, tracingspancontext TEXT, topic TEXT, recordkey TEXT, headers TEXT)`,
    { headerColumns: [{ column: 'type', header: 'eventType' }] },
    null,
  );
  const insert = application.prepare(
    'INSERT INTO users_outbox (id, aggregatetype, aggregateid, type, payload, tracingspancontext, topic, recordkey, headers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  insert.run(
    'e1',
    'user',
    '1',
    'Made',
    Buffer.from([1, 0]),
    'traceparent=00-a-b-01\ntracestate=x\\\\y\n',
    null,
    null,
    null,
  );
  insert.run('e2', 'user', '1', 'Made', null, null, 'elsewhere', 'k', '{"h":"1","n":[2]}');
  await move();
  assert.deepEqual(
    (await moved()).map(({ eventId, topic, key, value, headers }) => [eventId, topic, String(key), value, headers]),
    [
      [
        'e1',
        'outbox.event.user',
        '1',
        Buffer.from([1, 0]),
        { traceparent: '00-a-b-01', tracestate: 'x\\y', eventType: 'Made' },
      ],
      ['e2', 'elsewhere', 'k', null, { eventType: 'Made', h: '1', n: '[2]' }],
    ],
  );
  close();
});

test('a table that says no topic, and one whose rows cannot be deleted, are refused in one line', async () => {
  const none = await openWorld(BY_HAND, {}, null);
  await assert.rejects(none.queue.openReader(), { code: 'CONFIG_INVALID' });
  none.close();
  const held = await openWorld(
    `${BY_HAND}; CREATE TRIGGER keep BEFORE DELETE ON users_outbox BEGIN SELECT RAISE(ABORT, 'no'); END;
     INSERT INTO users_outbox (payload) VALUES ('a')`,
  );
  await assert.rejects(held.move(), { code: 'DB_SCHEMA' });
  assert.deepEqual(await held.moved(), []);
  held.close();
});
