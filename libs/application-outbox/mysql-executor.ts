/** The port on a mysql2 connection: promises or callbacks, of a pool or not. */
import type { Connection as CallbackConnection } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { RelayError } from '#runtime';
import type { SqlExecutor } from './sql-executor.ts';

/** A connection on which the caller has begun a transaction. A pool is none: each of its statements has its own. */
export type MysqlConnection = Connection | CallbackConnection;

/** Server status flags of every answer (MySQL protocol, OK packet). */
const IN_TRANSACTION = 0x1;
const AUTOCOMMIT = 0x2;

const isCallback = (connection: MysqlConnection): connection is CallbackConnection =>
  typeof (connection as { promise?: unknown }).promise === 'function';

/** Without a transaction the event would be committed alone, and stay when the business change does not. */
async function requireTransaction(connection: Connection): Promise<void> {
  const [answer] = await connection.query('DO 0');
  const status = (answer as { serverStatus?: number }).serverStatus ?? 0;
  if ((status & IN_TRANSACTION) === 0 && (status & AUTOCOMMIT) !== 0) {
    throw new RelayError(
      'CONFIG_INVALID',
      'an outbox event needs a transaction begun on this connection: call beginTransaction() first',
    );
  }
}

/** Rejects with CONFIG_INVALID, before anything is written, when the connection is in no transaction. */
export function mysqlTransaction(connection: MysqlConnection): SqlExecutor {
  const promised = isCallback(connection) ? (connection.promise() as unknown as Connection) : connection;
  return {
    dialect: 'mysql',
    async run(sql) {
      await requireTransaction(promised);
      await promised.query(sql);
    },
  };
}
