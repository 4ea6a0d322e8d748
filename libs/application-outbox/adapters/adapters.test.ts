/** Each library with a real transaction on MariaDB: the event and the business row are there together, or neither is. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { RelayError } from '#runtime';
import {
  createTestDatabase,
  OUTBOX_LIBRARIES,
  type OutboxLibrary,
  openOutboxLibrary,
  openPrisma,
  type TestDatabase,
} from '#testkit';
import { OutboxRepository, outboxTableSql, prismaTransaction } from '../index.ts';

let database: TestDatabase;
let pool: Pool;
const outbox = new OutboxRepository();

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_adapters' });
  const { host, port, user, password, name } = database;
  pool = mysql.createPool({ host, port, user, password, database: name });
  for (const sql of outboxTableSql()) await pool.query(sql);
  await pool.query(
    'CREATE TABLE purchase (id INT AUTO_INCREMENT PRIMARY KEY, customer VARCHAR(40) NOT NULL) ENGINE=InnoDB',
  );
});

after(async () => {
  await pool?.end();
  await database?.drop();
});

beforeEach(async () => {
  await pool.query('DELETE FROM outboxevent');
  await pool.query('DELETE FROM purchase');
});

const INSERT = "INSERT INTO purchase (customer) VALUES ('anna')";
const EVENT = { type: 'Purchased', aggregateType: 'purchase', aggregateId: '17', payload: { wer: 'änna', n: null } };

async function counts(): Promise<{ events: number; purchases: number }> {
  const [rows] = await pool.query<RowDataPacket[]>(
    'SELECT (SELECT COUNT(*) FROM outboxevent) AS events, (SELECT COUNT(*) FROM purchase) AS purchases',
  );
  return { events: Number(rows[0]?.events), purchases: Number(rows[0]?.purchases) };
}

const isReason = (reason: string) => (thrown: unknown) =>
  thrown instanceof RelayError && thrown.details.reason === reason;

function adapterTests(open: () => OutboxLibrary): void {
  test('the event is committed with the business row, bytes and all', async () => {
    await open().transact(async (tx, run) => {
      await run(INSERT);
      await outbox.addMany(tx, [EVENT, { ...EVENT, payload: null, headers: { a: 'b?' } }]);
    });
    assert.deepEqual(await counts(), { events: 2, purchases: 1 });
    const [rows] = await pool.query<RowDataPacket[]>('SELECT * FROM outboxevent ORDER BY seq');
    assert.equal(String(rows[0]?.payload), JSON.stringify(EVENT.payload));
    assert.equal(rows[1]?.payload, null);
    assert.equal(rows[1]?.headers, '{"a":"b?"}');
    assert.equal(rows[0]?.topic, null);
  });

  test('neither stays when the transaction is rolled back', async () => {
    const failed = open().transact(async (tx, run) => {
      await run(INSERT);
      await outbox.add(tx, EVENT);
      throw new Error('no');
    });
    await assert.rejects(failed);
    assert.deepEqual(await counts(), { events: 0, purchases: 0 });
  });

  test('a repeated id is told in the transaction', async () => {
    const failed = open().transact(async (tx) => {
      await outbox.add(tx, { ...EVENT, id: 'same' });
      await outbox.add(tx, { ...EVENT, id: 'same' });
    });
    await assert.rejects(failed, isReason('duplicate-id'));
    assert.deepEqual(await counts(), { events: 0, purchases: 0 });
  });

  test('the library itself is refused: it has no transaction', () => {
    assert.throws(open().without ?? assert.fail, { code: 'CONFIG_INVALID' });
  });
}

// mysql2 itself is tested in outbox-repository.test.ts.
for (const name of OUTBOX_LIBRARIES.filter((library) => library !== 'mysql2')) {
  describe(name, () => {
    let library: OutboxLibrary;
    before(async () => {
      library = await openOutboxLibrary(name, database);
    });
    after(() => library?.close());
    adapterTests(() => library);
  });
}

test('the models of Prisma are in the same transaction', async (t) => {
  const { client, close } = await openPrisma(database);
  t.after(close);
  await client.$transaction(async (tx) => {
    await tx.purchase.create({ data: { customer: 'bert' } });
    await outbox.add(prismaTransaction(tx), EVENT);
  });
  assert.deepEqual(await counts(), { events: 1, purchases: 1 });
});
