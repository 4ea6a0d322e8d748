/** Drizzle: `db.transaction((tx) => outbox.add(drizzleTransaction(tx, sql), event))`, with `sql` imported from drizzle-orm. */
import type { SqlDialect, SqlExecutor } from '../sql-executor.ts';
import { asBuffer } from './as-buffer.ts';
import { requireTransaction } from './refuse-no-transaction.ts';
import { splitAtPlaceholders } from './sqlite-placeholders.ts';

/** What is used of a Drizzle transaction; `rollback` is what tells it from the database. */
export interface DrizzleTransaction<Query> {
  execute(query: Query): PromiseLike<unknown>;
  rollback(): never;
}

/** Drizzle's template tag: the only way to a statement with values that it lets pass. */
export type DrizzleTag<Query> = (strings: TemplateStringsArray, ...values: never[]) => Query;

/** Throws CONFIG_INVALID for what is no transaction. */
export function drizzleTransaction<Query>(
  tx: DrizzleTransaction<Query>,
  tag: DrizzleTag<Query>,
  dialect: SqlDialect = 'mysql',
): SqlExecutor {
  requireTransaction(typeof tx.rollback === 'function', 'the tx of db.transaction()');
  return {
    dialect,
    run: async (sql, parameters) => {
      // On MySQL the text has no values; on SQLite Drizzle binds one wherever the text is parted.
      const parts = dialect === 'mysql' ? [sql] : splitAtPlaceholders(sql);
      const strings = Object.assign(parts, { raw: parts });
      await tx.execute(tag(strings, ...(parameters.map(asBuffer) as never[])));
    },
  };
}
