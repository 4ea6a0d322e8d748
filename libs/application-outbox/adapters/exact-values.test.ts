/**
 * Attack strings through every library, in every sql_mode and character set that a session can have, on a real server: each byte
 * is stored as it was given. Read back by a session of its own, in utf8mb4.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import {
  createTestDatabase,
  OUTBOX_LIBRARIES,
  type OutboxLibrary,
  openOutboxLibrary,
  type TestDatabase,
} from '#testkit';
import { OutboxRepository, outboxTableSql, rawFormatter } from '../index.ts';

let database: TestDatabase;
/** The independent session. */
let reader: Connection;
let isMariadb: boolean;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_exact' });
  const { host, port, user, password, name } = database;
  reader = await mysql.createConnection({ host, port, user, password, database: name, charset: 'utf8mb4' });
  for (const sql of outboxTableSql()) await reader.query(sql);
  const [[about]] = await reader.query<RowDataPacket[]>('SELECT VERSION() AS version');
  isMariadb = /mariadb/i.test(String(about?.version));
});

after(async () => {
  await reader?.end();
  await database?.drop();
});

beforeEach(async () => {
  await reader.query('DELETE FROM outboxevent');
});

/** For the column order that an INSERT of ours once had: ends the literal, then sets the row's topic. */
const INJECTED = ', 0x54, NULL, NOW(), NULL, NULL, 0x312e30, NULL, NULL, 0x6576696c, NULL, NULL) -- ';
const ATTACKS = [
  'dq"dq',
  'back\\slash',
  "O'Brien",
  `x'${INJECTED}`,
  `x"${INJECTED}`,
  `x\\'${INJECTED}`,
  `x''${INJECTED}`,
  // Under gbk the last byte of the first character takes a backslash for its second half.
  `縗'${INJECTED}`,
  `縗\\'${INJECTED}`,
  '表ソ能\\十\\',
  '\u00bf\u005c\u0027 \u00bf\u0027',
  '\\',
  "'",
  '"',
  '`',
  '\\0 \\n \\x \\\\',
  'a\0b\0',
  '\n\r\t\b\u001a',
  '? ?? \\? :name $1 @x #c -- c /* c */ /*!99999 */ %s {x}',
  '; DROP TABLE outboxevent; --',
  '\ufeffbom',
  '\u00a5\u203e~ { [ | ] }',
  '\ufffd\uffff\u2028',
  'e\u0301 \u00e9',
  '😀𝒳',
  ' spaces at both ends   ',
  'DQ"DQ',
  "'".repeat(255),
  '\\'.repeat(255),
  '😀'.repeat(255),
];
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

const SQL_MODES = [
  '',
  'STRICT_ALL_TABLES',
  'NO_BACKSLASH_ESCAPES',
  'ANSI_QUOTES',
  'ANSI,NO_BACKSLASH_ESCAPES',
  'PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES',
  'TRADITIONAL',
  'PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE,IGNORE_SPACE,NO_UNSIGNED_SUBTRACTION',
];
const MARIADB_SQL_MODES = ['ORACLE', 'EMPTY_STRING_IS_NULL', 'SIMULTANEOUS_ASSIGNMENT,TIME_ROUND_FRACTIONAL'];
const CHARSETS = ['utf8mb4', 'utf8mb3', 'latin1', 'ascii', 'gbk', 'sjis', 'cp932', 'big5', 'binary'].map(
  (name) => `SET NAMES ${name}`,
);
const SESSION_CHARSETS = [...CHARSETS, "SET NAMES latin1, character_set_connection = 'utf16'"];

const outbox = new OutboxRepository({ formatter: rawFormatter() });
const eventsOf = (attacks: readonly string[]) =>
  attacks.map((attack, n) => ({
    id: `${n}`.padStart(3, '0') + [...attack].slice(0, 252).join(''),
    type: attack,
    aggregateType: 'order',
    aggregateId: attack,
    payload: n % 3 === 0 ? null : Buffer.concat([Buffer.from(attack), BYTES]),
    source: attack,
    dataVersion: [...attack].slice(0, 64).join(''),
    correlationId: attack,
    causationId: attack,
    key: attack,
    headers: { a: attack, b: "{a:'b'}", [attack]: 'b' },
    occurredAt: new Date('2026-01-02T03:04:05.678Z'),
    traceContext: {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: `v=${attack.replaceAll(/[\r\n]/g, '')}`.slice(0, 200).toWellFormed(),
    },
  }));
const EVENTS = eventsOf(ATTACKS);

async function assertStored(label: string): Promise<void> {
  const [rows] = await reader.query<RowDataPacket[]>(
    'SELECT *, CAST(timestamp AS CHAR) AS time FROM outboxevent ORDER BY seq',
  );
  assert.equal(rows.length, EVENTS.length, label);
  for (const [n, event] of EVENTS.entries()) {
    const row = rows[n] as RowDataPacket;
    const stored = {
      id: row.id,
      type: row.type,
      aggregateType: row.aggregatetype,
      aggregateId: row.aggregateid,
      payload: row.payload,
      source: row.source,
      dataVersion: row.dataversion,
      correlationId: row.correlationid,
      causationId: row.causationid,
      key: row.recordkey,
      headers: JSON.parse(row.headers),
      occurredAt: new Date(`${row.time.replace(' ', 'T')}Z`),
    };
    const { traceContext, ...given } = event;
    assert.deepEqual(
      { ...stored, headers: { 'content-type': undefined, ...stored.headers } },
      { ...given, headers: { 'content-type': undefined, ...stored.headers, ...given.headers } },
      `${label}: ${event.aggregateId}`,
    );
    assert.equal(row.topic, null, `${label}: ${event.aggregateId} set the topic`);
    const trace = `traceparent=${traceContext.traceparent}\ntracestate=${traceContext.tracestate.replaceAll('\\', '\\\\')}\n`;
    assert.equal(row.tracingspancontext, trace, `${label}: ${event.aggregateId}`);
  }
}

for (const name of OUTBOX_LIBRARIES) {
  describe(name, () => {
    let library: OutboxLibrary;
    before(async () => {
      library = await openOutboxLibrary(name, database);
    });
    after(() => library?.close());

    for (const charset of SESSION_CHARSETS) {
      test(`each byte in every sql_mode after ${charset}`, async () => {
        for (const mode of [...SQL_MODES, ...(isMariadb ? MARIADB_SQL_MODES : [])]) {
          await library.transact(async (tx, run) => {
            // MySQL does not read the name of a mode in utf16.
            await run(`SET SESSION sql_mode = '${mode}'`);
            await run(charset);
            await outbox.addMany(tx, EVENTS);
            // The library's own BEGIN is no statement of every sql_mode.
            for (const reset of ['SET NAMES utf8mb4', "SET SESSION sql_mode = ''"]) await run(reset);
          });
          await assertStored(`sql_mode ${mode}`);
          await reader.query('DELETE FROM outboxevent');
        }
      });
    }
  });
}
