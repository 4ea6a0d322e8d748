/** The database of the example: balances of accounts, and the inbox. */
import mysql, { type Pool, type PoolConnection, type ResultSetHeader } from 'mysql2/promise';
import { inboxTableSql } from '#inbox';

/** Never better by itself: such a message goes to the dead letters at once. */
export class InvalidOrder extends Error {
  override readonly name = 'InvalidOrder';
}

export interface Order {
  readonly account: string;
  readonly amount: number;
}

const { env } = process;

export function openPool(): Pool {
  return mysql.createPool({
    host: env.KAFKA_ROW_SENDER_DB_HOST ?? '127.0.0.1',
    port: Number(env.KAFKA_ROW_SENDER_DB_PORT ?? 3306),
    user: env.KAFKA_ROW_SENDER_DB_USER ?? 'root',
    password: env.KAFKA_ROW_SENDER_DB_PASSWORD ?? '',
    database: env.KAFKA_ROW_SENDER_DB_NAME ?? 'shop',
    // One more than handlers at a time, each of which holds a connection for its transaction.
    connectionLimit: 9,
  });
}

export async function createTables(pool: Pool): Promise<void> {
  await pool.query(
    'CREATE TABLE IF NOT EXISTS account (name VARCHAR(64) PRIMARY KEY, balance BIGINT NOT NULL) ENGINE=InnoDB',
  );
  for (const sql of inboxTableSql()) await pool.query(sql);
}

export function parseOrder(value: Buffer | null): Order {
  let order: Partial<Order>;
  try {
    order = JSON.parse(String(value)) as Partial<Order>;
  } catch {
    throw new InvalidOrder('an order is not JSON');
  }
  const { account, amount } = order;
  if (typeof account !== 'string' || !Number.isSafeInteger(amount))
    throw new InvalidOrder('an order has no account or amount');
  return { account, amount: Number(amount) };
}

/** Throws when there is no such account (yet): another message may bring it, so that trying again later helps. */
export async function bookOrder(tx: PoolConnection, { account, amount }: Order): Promise<void> {
  const [result] = await tx.execute<ResultSetHeader>('UPDATE account SET balance = balance + ? WHERE name = ?', [
    amount,
    account,
  ]);
  if (result.affectedRows === 0) throw new Error('there is no such account yet');
}
