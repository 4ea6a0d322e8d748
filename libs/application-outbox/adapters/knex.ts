/** Knex: `knex.transaction((trx) => outbox.add(knexTransaction(trx), event))`. */
import type { SqlDialect, SqlExecutor } from '../sql-executor.ts';
import { asBuffer } from './as-buffer.ts';
import { requireTransaction } from './refuse-no-transaction.ts';
import { splitAtPlaceholders } from './sqlite-placeholders.ts';

type Binding = string | number | null | Buffer;

/** What is used of a Knex transaction. */
export interface KnexTransaction {
  readonly isTransaction?: boolean;
  raw(sql: string, bindings?: Readonly<Record<string, Binding>>): PromiseLike<unknown>;
}

/** A word that no table's name has in it by chance. */
const nameOf = (index: number): string => `krs_outbox_${index}`;

/** With bindings by name a question mark is a character, so that a table's name may have one. */
const withNames = (sql: string): string =>
  splitAtPlaceholders(sql).reduce((text, part, index) => `${text}:${nameOf(index - 1)}${part}`);

/** Throws CONFIG_INVALID for what is no transaction. */
export function knexTransaction(trx: KnexTransaction, dialect: SqlDialect = 'mysql'): SqlExecutor {
  requireTransaction(trx.isTransaction === true, 'the trx of knex.transaction()');
  return {
    dialect,
    // Knex has the driver escape its bindings on MySQL, where a statement has none, and bind them on SQLite.
    run: async (sql, parameters) => {
      if (dialect === 'mysql') return trx.raw(sql);
      const bindings = Object.fromEntries(parameters.map((value, index) => [nameOf(index), asBuffer(value)]));
      return trx.raw(withNames(sql), bindings);
    },
  };
}
