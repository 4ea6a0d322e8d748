/** TypeORM: `dataSource.transaction((manager) => outbox.add(typeormTransaction(manager), event))`. */
import type { SqlDialect, SqlExecutor } from '../sql-executor.ts';
import { asBuffer } from './as-buffer.ts';
import { requireTransaction } from './refuse-no-transaction.ts';

/** What is used of an entity manager. */
export interface TypeormManager {
  readonly queryRunner?: { readonly isTransactionActive: boolean };
  query(sql: string, parameters?: (string | number | null | Buffer)[]): Promise<unknown>;
}

/** Throws CONFIG_INVALID for a manager without a transaction. */
export function typeormTransaction(manager: TypeormManager, dialect: SqlDialect = 'mysql'): SqlExecutor {
  requireTransaction(manager.queryRunner?.isTransactionActive === true, 'the manager of dataSource.transaction()');
  return { dialect, run: (sql, parameters) => manager.query(sql, parameters.map(asBuffer)) };
}
