/** The source contract on the fake, on a MariaDB table whose watermark is the primary key, and on one where it is a secondary key. */
import { after, before } from 'node:test';
import mysql from 'mysql2/promise';
import { createPool, type Pool } from '#database';
import { silentLogger } from '#runtime';
import {
  type ContractRow,
  createTestDatabase,
  FakeSourceReader,
  FakeSourceTable,
  type SourceTransaction,
  type SourceWorld,
  sourceContract,
  type TestDatabase,
  testDatabaseOptions,
  type WaitingTransaction,
} from '#testkit';
import { createSourceReader } from './index.ts';

sourceContract({
  name: 'fake',
  async open() {
    const table = new FakeSourceTable();
    return {
      reader: new FakeSourceReader({ table, name: 'contract', topic: 'events' }),
      async begin(): Promise<SourceTransaction> {
        const transaction = table.begin();
        return {
          connection: transaction.connection,
          insert: async (rows) => transaction.insert(rows),
          commit: async () => transaction.commit(),
          rollback: async () => transaction.rollback(),
        };
      },
      async wait() {
        const transaction = table.begin();
        const ids = transaction.reserve(1);
        transaction.show();
        return {
          connection: transaction.connection,
          async finish() {
            transaction.write(ids, [{ key: 'k', body: 'waited' }]);
            transaction.commit();
            return ids[0] as bigint;
          },
        };
      },
      close: async () => undefined,
    };
  },
});

let database: TestDatabase;
let pool: Pool;

before(async () => {
  database = await createTestDatabase({ prefix: 'krs_source_contract' });
  pool = createPool(testDatabaseOptions(database));
});

after(async () => {
  await pool.close();
  await database.drop();
});

async function beginOn(connection: mysql.Connection, table: string): Promise<SourceTransaction> {
  await connection.query('START TRANSACTION');
  const connectionId = String(connection.threadId);
  const end = async (statement: string): Promise<void> => {
    await connection.query(statement);
    await connection.end();
  };
  return {
    connection: connectionId,
    async insert(rows: readonly ContractRow[]) {
      const values = rows.map(({ key, body }) => [key, body]);
      const [result] = await connection.query<mysql.ResultSetHeader>(`INSERT INTO ${table} (k, body) VALUES ?`, [
        values,
      ]);
      const first = BigInt(result.insertId);
      return rows.map((_, index) => first + BigInt(index));
    },
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
  };
}

/** The guard locks the table's end; an INSERT there has its id, and waits. */
async function waitOn(guard: mysql.Connection, owner: mysql.Connection, table: string): Promise<WaitingTransaction> {
  await guard.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  await guard.query('START TRANSACTION');
  await guard.query(`SELECT * FROM ${table} FOR UPDATE`);
  await owner.query('START TRANSACTION');
  const inserting = owner.query<mysql.ResultSetHeader>(`INSERT INTO ${table} (k, body) VALUES ('k', 'waited')`);
  return {
    connection: String(owner.threadId),
    async finish() {
      await guard.query('ROLLBACK');
      const [result] = await inserting;
      await owner.query('COMMIT');
      await Promise.all([guard.end(), owner.end()]);
      return BigInt(result.insertId);
    },
  };
}

async function openWorld(table: string, keys: string): Promise<SourceWorld> {
  const { name, drop: _drop, ...address } = database;
  await pool.run(
    `CREATE TABLE ${table} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, k VARCHAR(40), body TEXT NOT NULL, ${keys})`,
  );
  const reader = await createSourceReader({
    pool,
    source: {
      name: 'contract',
      table,
      watermarkColumn: 'id',
      columns: ['id', 'k', 'body'],
      keyColumn: 'k',
      topic: 'events',
      topicColumn: null,
    },
    gapMode: 'transactions',
    logger: silentLogger,
  });
  return {
    reader,
    begin: async () => beginOn(await mysql.createConnection({ ...address, database: name }), table),
    wait: async () => {
      const open = () => mysql.createConnection({ ...address, database: name });
      return waitOn(await open(), await open(), table);
    },
    close: async () => {
      await pool.run(`DROP TABLE ${table}`);
    },
  };
}

let tables = 0;

sourceContract({
  name: 'MariaDB, watermark is the primary key',
  open: () => openWorld(`t${tables++}`, 'PRIMARY KEY (id)'),
});

sourceContract({
  name: 'MariaDB, watermark is a secondary key',
  open: () => openWorld(`t${tables++}`, 'other CHAR(36) NOT NULL DEFAULT (UUID()) PRIMARY KEY, UNIQUE KEY by_id (id)'),
});
