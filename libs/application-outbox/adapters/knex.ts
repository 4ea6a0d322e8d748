/** Knex: `knex.transaction((trx) => outbox.add(knexTransaction(trx), event))`. */
import type { SqlDialect, SqlExecutor } from '../sql-executor.ts';
import { asBuffer } from './as-buffer.ts';
import { requireTransaction } from './refuse-no-transaction.ts';

/** What is used of a Knex transaction. */
export interface KnexTransaction {
  readonly isTransaction?: boolean;
  raw(sql: string, bindings?: readonly (string | number | null | Buffer)[]): PromiseLike<unknown>;
}

/** Throws CONFIG_INVALID for what is no transaction. */
export function knexTransaction(trx: KnexTransaction, dialect: SqlDialect = 'mysql'): SqlExecutor {
  requireTransaction(trx.isTransaction === true, 'the trx of knex.transaction()');
  return {
    dialect,
    // Knex has the driver escape its bindings on MySQL, where a statement has none, and bind them on SQLite.
    run: async (sql, parameters) => (dialect === 'mysql' ? trx.raw(sql) : trx.raw(sql, parameters.map(asBuffer))),
  };
}
