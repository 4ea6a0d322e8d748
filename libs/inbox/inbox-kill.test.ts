/** The inbox in MariaDB under a consumer that is killed: each effect exactly once. */
import mysql, { type Pool, type RowDataPacket } from 'mysql2/promise';
import { createTestDatabase, inboxKillContract, type TestDatabase } from '#testkit';
import { inboxTableSql } from './index.ts';

let database: TestDatabase;
let pool: Pool;

inboxKillContract({
  title: 'a consumer killed at random: each effect exactly once',
  kills: 3,
  child: 'libs/inbox/inbox-consumer.child.ts',
  settings: () => {
    const { host, port, user, password, name } = database;
    return { database: { host, port, user, password, database: name } };
  },
  prepare: async () => {
    database = await createTestDatabase({ prefix: 'krs_inbox_kill' });
    const { host, port, user, password, name } = database;
    pool = mysql.createPool({ host, port, user, password, database: name, connectionLimit: 2 });
    for (const sql of inboxTableSql()) await pool.query(sql);
    await pool.query('CREATE TABLE effects (event VARCHAR(64) NOT NULL) ENGINE=InnoDB');
  },
  effects: async () => {
    const [rows] = await pool.query<RowDataPacket[]>('SELECT COUNT(*) n, COUNT(DISTINCT event) d FROM effects');
    return { all: Number(rows[0]?.n), distinct: Number(rows[0]?.d) };
  },
  dispose: async () => {
    await pool?.end();
    await database?.drop();
  },
});
