/** Kysely: `db.transaction().execute((trx) => outbox.add(kyselyTransaction(trx), event))`. */
import type { SqlDialect, SqlExecutor } from '../sql-executor.ts';
import { asBuffer } from './as-buffer.ts';
import { requireTransaction } from './refuse-no-transaction.ts';

/** A compiled query, as `CompiledQuery.raw` makes it. */
export interface KyselyRawQuery {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly query: {
    readonly kind: 'RawNode';
    readonly sqlFragments: readonly string[];
    readonly parameters: readonly [];
  };
  readonly queryId: { readonly queryId: string };
}

/** What is used of a Kysely transaction. */
export interface KyselyTransaction {
  readonly isTransaction: boolean;
  executeQuery(query: KyselyRawQuery): Promise<unknown>;
}

/** Throws CONFIG_INVALID for what is no transaction. */
export function kyselyTransaction(trx: KyselyTransaction, dialect: SqlDialect = 'mysql'): SqlExecutor {
  requireTransaction(trx.isTransaction === true, 'the trx of db.transaction().execute()');
  return {
    dialect,
    run: (sql, parameters) =>
      trx.executeQuery({
        sql,
        parameters: parameters.map(asBuffer),
        query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
        queryId: { queryId: 'kafka-row-sender-outbox' },
      }),
  };
}
