/** Tables that cannot keep a value as it is: every library refuses the event by name, and the table stays as it was. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise';
import { RelayError } from '#runtime';
import {
  createTestDatabase,
  OUTBOX_LIBRARIES,
  type OutboxLibrary,
  openOutboxLibrary,
  type TestDatabase,
} from '#testkit';
import { OutboxRepository, outboxTableSql, rawFormatter } from '../index.ts';

let database: TestDatabase;
let admin: Connection;
let isMariadb: boolean;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_kept' });
  const { host, port, user, password, name } = database;
  admin = await mysql.createConnection({ host, port, user, password, database: name, charset: 'utf8mb4' });
  const [[about]] = await admin.query<RowDataPacket[]>('SELECT VERSION() AS version');
  isMariadb = /mariadb/i.test(String(about?.version));
});

after(async () => {
  await admin?.end();
  await database?.drop();
});

beforeEach(async () => {
  await admin.query('DROP TABLE IF EXISTS outboxevent');
  for (const sql of outboxTableSql()) await admin.query(sql);
});

const outbox = new OutboxRepository({ formatter: rawFormatter() });
interface Given {
  readonly id: string;
  readonly type: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly payload: Buffer;
  readonly source: string | null;
  readonly correlationId: string;
  readonly causationId: string;
  readonly key: string;
  readonly topic: string;
  readonly headers: Readonly<Record<string, string>>;
}

const EVENT: Given = {
  id: 'id',
  type: 'type',
  aggregateType: 'order',
  aggregateId: 'id',
  payload: Buffer.from('payload'),
  source: 'source',
  correlationId: 'correlation',
  causationId: 'causation',
  key: 'key',
  topic: 'topic',
  headers: { a: 'b' },
};
const LONG = 'x'.repeat(60);
/** Name of the column, its type, and a change of the event that it does not keep. */
const CASES: readonly (readonly [string, string, Partial<Given>])[] = [
  ...(
    [
      ['id', 'id'],
      ['type', 'type'],
      ['aggregatetype', 'aggregateType'],
      ['aggregateid', 'aggregateId'],
      ['source', 'source'],
      ['correlationid', 'correlationId'],
      ['causationid', 'causationId'],
      ['topic', 'topic'],
      ['recordkey', 'key'],
    ] as const
  ).map(([column, name]) => [column, 'VARCHAR(50)', { [name]: LONG }] as const),
  ['payload', 'TINYBLOB', { payload: Buffer.alloc(300, 7) }],
  ['headers', 'VARCHAR(50)', { headers: { a: LONG } }],
  ['aggregateid', 'VARCHAR(255) CHARACTER SET utf8mb3', { aggregateId: '😀' }],
  ['aggregateid', 'VARCHAR(255) CHARACTER SET latin1', { aggregateId: 'Ω' }],
  ['headers', 'TEXT CHARACTER SET utf8mb3', { headers: { a: '😀' } }],
  ['headers', 'TEXT CHARACTER SET latin1', { headers: { Ω: 'a' } }],
  ['payload', 'LONGTEXT CHARACTER SET utf8mb4', { payload: Buffer.from([0x61, 0xff, 0x62]) }],
  ['payload', 'LONGTEXT CHARACTER SET utf8mb3', { payload: Buffer.from('😀') }],
  ['payload', 'LONGTEXT CHARACTER SET latin1', { payload: Buffer.from('ä') }],
  ['aggregateid', 'VARCHAR(2)', { aggregateId: 'ab   ' }],
  ['aggregateid', 'CHAR(20)', { aggregateId: 'ab ' }],
  ['aggregateid', 'BINARY(20)', { aggregateId: 'ab' }],
  ['aggregateid', 'BIGINT', { aggregateId: '017' }],
  ['aggregateid', 'BIGINT', { aggregateId: '17abc' }],
  ['aggregateid', 'DECIMAL(5, 2)', { aggregateId: '1.234' }],
  ['type', "ENUM('created', 'changed')", { type: 'Created' }],
  ['source', "VARCHAR(50) NOT NULL DEFAULT 'x'", { source: null }],
];
/** Other types that keep what they are given. */
const KEEP: typeof CASES = [
  ['aggregateid', 'BIGINT', { aggregateId: '17' }],
  ['aggregateid', 'CHAR(20)', { aggregateId: 'ab' }],
  ['aggregateid', 'VARBINARY(255)', { aggregateId: 'ä😀' }],
  ['aggregateid', 'VARCHAR(255) CHARACTER SET latin1', { aggregateId: 'ä' }],
  ['type', "ENUM('created', 'changed')", { type: 'changed' }],
  ['headers', 'JSON', { headers: { b: '1', a: 'ä😀"\\' } }],
  ['headers', 'BLOB', { headers: { b: '1', a: 'ä😀"\\' } }],
  ['payload', 'LONGTEXT CHARACTER SET utf8mb4', { payload: Buffer.from('ä😀') }],
  ['payload', 'LONGTEXT CHARACTER SET latin1', { payload: Buffer.from('{\'a\':"b\\"}') }],
];
const SQL_MODES = ['', 'STRICT_ALL_TABLES', 'PAD_CHAR_TO_FULL_LENGTH'];

const alter = (column: string, type: string) => admin.query(`ALTER TABLE outboxevent MODIFY \`${column}\` ${type}`);

async function count(): Promise<number> {
  const [rows] = await admin.query<RowDataPacket[]>('SELECT id FROM outboxevent');
  return rows.length;
}

const isReason = (reason: string) => (thrown: unknown) =>
  thrown instanceof RelayError && thrown.code === 'EVENT_REFUSED' && thrown.details.reason === reason;

for (const name of OUTBOX_LIBRARIES) {
  describe(name, () => {
    let library: OutboxLibrary;
    before(async () => {
      library = await openOutboxLibrary(name, database);
    });
    after(() => library?.close());

    async function addIn(mode: string, event: Given): Promise<unknown> {
      let refusal: unknown = null;
      await library.transact(async (tx, run) => {
        await run(`SET SESSION sql_mode = '${mode}'`);
        // The caller takes no notice and commits: nothing of the event may be there.
        await outbox.add(tx, event).catch((thrown: unknown) => {
          refusal = thrown;
        });
      });
      return refusal;
    }

    for (const [column, type, change] of CASES) {
      test(`column ${column} ${type} with ${JSON.stringify(change).slice(0, 60)}`, async () => {
        await alter(column, type);
        for (const mode of SQL_MODES) {
          const refusal = await addIn(mode, { ...EVENT, ...change });
          assert.ok(isReason('not-kept')(refusal), `sql_mode ${mode}: ${refusal}`);
          assert.match((refusal as RelayError).message, new RegExp(`^column ${column} of the outbox table`));
          assert.equal(await count(), 0);
        }
      });
    }

    for (const [column, type, change] of KEEP) {
      test(`column ${column} ${type} keeps ${JSON.stringify(change).slice(0, 60)}`, async () => {
        await alter(column, type);
        for (const mode of SQL_MODES.slice(0, 2)) {
          assert.equal(await addIn(mode, { ...EVENT, ...change }), null);
          assert.equal(await count(), 1);
          await admin.query('DELETE FROM outboxevent');
        }
      });
    }

    test('an event that is larger than a statement may be is refused, and the connection goes on', async () => {
      const [[limit]] = await admin.query<RowDataPacket[]>('SELECT @@global.max_allowed_packet AS bytes');
      const large = { ...EVENT, payload: Buffer.alloc(Number(limit?.bytes) / 2 + 1, 65) };
      await library.transact(async (tx) => {
        await assert.rejects(outbox.add(tx, large), isReason('too-large'));
        await outbox.add(tx, { ...EVENT, payload: Buffer.alloc(1024 * 1024, 65) });
      });
      assert.equal(await count(), 1);
    });
  });
}

test('a user who may only insert', async (t) => {
  const user = `krs_kept_${process.pid}`;
  await admin.query(`CREATE USER '${user}'@'%' IDENTIFIED BY 'x', '${user}'@'localhost' IDENTIFIED BY 'x'`);
  t.after(() => admin.query(`DROP USER '${user}'@'%', '${user}'@'localhost'`));
  // MySQL lets nobody name a column, not even one just set, who may not read it.
  const rights = isMariadb ? 'INSERT' : 'INSERT, SELECT';
  await admin.query(`GRANT ${rights} ON \`${database.name}\`.outboxevent TO '${user}'@'%', '${user}'@'localhost'`);
  const library = await openOutboxLibrary('mysql2', { ...database, user, password: 'x' });
  t.after(() => library.close());
  await library.transact(async (tx) => {
    await outbox.add(tx, EVENT);
  });
  assert.equal(await count(), 1);
});
