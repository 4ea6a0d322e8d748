/** Prisma: `prisma.$transaction((tx) => outbox.add(prismaTransaction(tx), event))`; only interactive transactions. */
import type { SqlDialect, SqlExecutor } from '../sql-executor.ts';
import { requireTransaction } from './refuse-no-transaction.ts';

/** What is used of a Prisma transaction; the client itself has `$connect`, too. */
export interface PrismaTransaction {
  $executeRawUnsafe(sql: string, ...values: unknown[]): PromiseLike<number>;
}

/** Throws CONFIG_INVALID for what is no transaction. */
export function prismaTransaction(tx: PrismaTransaction, dialect: SqlDialect = 'mysql'): SqlExecutor {
  const isClient = typeof (tx as { $connect?: unknown }).$connect === 'function';
  requireTransaction(!isClient, 'the tx of prisma.$transaction(async (tx) => ..)');
  // "Unsafe" is for texts put together from input: ours has values as hexadecimal only, or as placeholders on SQLite.
  return { dialect, run: async (sql, parameters) => tx.$executeRawUnsafe(sql, ...parameters) };
}
