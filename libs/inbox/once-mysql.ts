/** `once` on a mysql2 connection: MySQL and MariaDB, InnoDB. */
import type { Connection as CallbackConnection } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { bytesLiteral, failWith, OUT_OF_RANGE_ERRNO } from '#database';
import { RelayError } from '#runtime';
import type { InboxKey, OnceOutcome } from './inbox-table.ts';

/** A connection, of a pool or not, in which the caller has begun a transaction. */
export type MysqlTransaction = Connection | CallbackConnection;

/** Server status flags of every answer (MySQL protocol, OK packet). */
const IN_TRANSACTION = 0x1;
const AUTOCOMMIT = 0x2;
const DUPLICATE_KEY = 1062;
const NO_SUCH_SAVEPOINT = 1305;

let savepoints = 0;

const isCallback = (tx: MysqlTransaction): tx is CallbackConnection =>
  typeof (tx as { promise?: unknown }).promise === 'function';

export const asPromiseConnection = (tx: MysqlTransaction): Connection =>
  isCallback(tx) ? (tx.promise() as unknown as Connection) : tx;

const errnoOf = (thrown: unknown): number | undefined => (thrown as { errno?: number } | null)?.errno;

async function statusAfter(connection: Connection, sql: string): Promise<number> {
  const [answer] = await connection.query(sql);
  return (answer as { serverStatus?: number }).serverStatus ?? 0;
}

/** Makes a savepoint, and by the same answer makes sure that there is a transaction: without, the id would be kept alone. */
async function openSavepoint(connection: Connection): Promise<string> {
  savepoints = (savepoints + 1) % Number.MAX_SAFE_INTEGER;
  const name = `kafka_row_sender_inbox_${savepoints}`;
  const status = await statusAfter(connection, `SAVEPOINT ${name}`);
  if ((status & IN_TRANSACTION) === 0 && (status & AUTOCOMMIT) !== 0) {
    throw new RelayError('CONFIG_INVALID', 'once() needs a transaction that the caller has begun on this connection');
  }
  return name;
}

/**
 * Values as hexadecimal: whose sql_mode and character set the connection has, we do not choose (sql-literals.ts in libs/database).
 * The last column's expression sees what the others keep, and fails where that is not what they were given: without a strict
 * sql_mode a server cuts an id that its column is too short for, and takes two events for one.
 */
function insertSql({ table, consumer, idBytes: id }: InboxKey): string {
  const [consumerBytes, idBytes] = [Buffer.from(consumer), id].map(bytesLiteral);
  const differs = (column: string, bytes = '') =>
    `WHEN NOT (COALESCE(CAST(${column} AS BINARY) <=> ${bytes}, FALSE)) THEN ${failWith(column)}`;
  const kept = `CASE ${differs('consumer', consumerBytes)} ${differs('event_id', idBytes)} ELSE UTC_TIMESTAMP(3) END`;
  return `INSERT INTO ${table} (consumer, event_id, handled_at) VALUES (${consumerBytes}, ${idBytes}, ${kept})`;
}

async function insertId(connection: Connection, key: InboxKey): Promise<boolean> {
  try {
    await connection.query(insertSql(key));
    return true;
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === DUPLICATE_KEY) return false;
    if (errno === OUT_OF_RANGE_ERRNO) {
      const text = `the inbox table ${key.table} does not keep an id as it is: compare its columns with inboxTableSql()`;
      throw new RelayError('DB_ROW_REFUSED', text, { cause: thrown });
    }
    throw thrown;
  }
}

/**
 * The server may have ended the transaction under the handler: a deadlock that the handler swallowed, a DDL statement, a
 * COMMIT of its own. Then the savepoint is gone, and what came after it was not in one transaction with the id.
 */
async function proveSameTransaction(connection: Connection, savepoint: string): Promise<void> {
  try {
    await connection.query(`RELEASE SAVEPOINT ${savepoint}`);
  } catch (thrown) {
    if (errnoOf(thrown) !== NO_SUCH_SAVEPOINT) throw thrown;
    const text =
      'the transaction of once() ended inside the handler (deadlock, DDL or COMMIT): roll back and try again';
    throw new RelayError('DB_TRANSIENT', text);
  }
}

export async function onceOnMysql(
  tx: MysqlTransaction,
  key: InboxKey,
  handler: () => Promise<unknown> | unknown,
): Promise<OnceOutcome> {
  const connection = asPromiseConnection(tx);
  const savepoint = await openSavepoint(connection);
  if (!(await insertId(connection, key))) return 'duplicate';
  try {
    await handler();
  } catch (thrown) {
    // A caller that commits in spite of the error must not keep the id without the effect. When this fails the server has
    // rolled back already, or the connection is gone: the handler's error is the one to report.
    await connection.query(`ROLLBACK TO SAVEPOINT ${savepoint}`).catch(() => undefined);
    throw thrown;
  }
  await proveSameTransaction(connection, savepoint);
  return 'handled';
}
